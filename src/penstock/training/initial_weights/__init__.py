"""Warm starts: a new model begins with the weights of an earlier one, as far as they fit."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.training.initial_weights.start import WarmStart, warm_start

_MODULE_OF = {"WarmStart": "start", "warm_start": "start"}

__all__ = ["WarmStart", "warm_start"]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
