"""Tuning: running a hyperparameter search and its results."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.tuning.search import (
        TunerFnResult,
        read_best_hyperparameters,
        run_search,
        search_results,
        write_best_hyperparameters,
        write_results,
    )

__all__ = [
    "TunerFnResult",
    "read_best_hyperparameters",
    "run_search",
    "search_results",
    "write_best_hyperparameters",
    "write_results",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("penstock.tuning.search"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
