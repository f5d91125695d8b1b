"""Tuning: running a hyperparameter search and its results."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.tuning.best_hyperparameters import (
        read_best_hyperparameters,
        write_best_hyperparameters,
    )
    from penstock.tuning.keras_search import FinishedSearch, SearchSettings, run_search
    from penstock.tuning.studies.optuna_search import OptunaSearch
    from penstock.tuning.studies.pruning import OptunaPruning
    from penstock.tuning.trial_results import read_results, search_results, write_results
    from penstock.tuning.tuner_fn_result import TunerFnResult

_MODULE_OF = {
    "FinishedSearch": "keras_search",
    "OptunaPruning": "studies.pruning",
    "OptunaSearch": "studies.optuna_search",
    "SearchSettings": "keras_search",
    "TunerFnResult": "tuner_fn_result",
    "read_best_hyperparameters": "best_hyperparameters",
    "read_results": "trial_results",
    "run_search": "keras_search",
    "search_results": "trial_results",
    "write_best_hyperparameters": "best_hyperparameters",
    "write_results": "trial_results",
}

__all__ = [
    "FinishedSearch",
    "OptunaPruning",
    "OptunaSearch",
    "SearchSettings",
    "TunerFnResult",
    "read_best_hyperparameters",
    "read_results",
    "run_search",
    "search_results",
    "write_best_hyperparameters",
    "write_results",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
