"""What a KerasTuner search's `tuner_fn` returns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class TunerFnResult(NamedTuple):
    """The result of `tuner_fn`.

    Attributes:
        tuner: A KerasTuner tuner, or anything with its `search`, `get_best_hyperparameters` and `oracle`.
        fit_kwargs: Arguments of `tuner.search`, such as the datasets.
    """

    tuner: Any
    fit_kwargs: Mapping[str, Any]
