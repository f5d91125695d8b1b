"""Tuning: running a hyperparameter search and its results."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.tuning.search import (
        TunerFnResult,
        read_best_hyperparameters,
        read_results,
        run_search,
        search_results,
        write_best_hyperparameters,
        write_results,
    )

__all__ = [
    "TunerFnResult",
    "read_best_hyperparameters",
    "read_results",
    "run_search",
    "search_results",
    "write_best_hyperparameters",
    "write_results",
]

__getattr__, __dir__ = lazy_exports(__name__, dict.fromkeys(__all__, "search"))
