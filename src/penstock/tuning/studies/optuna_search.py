"""What an Optuna search's `tuner_fn` returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.installation import install_command

DIRECTIONS = ("minimize", "maximize")


@dataclass(frozen=True)
class OptunaSearch:
    """A search by Optuna, which `tuner_fn` returns instead of a `TunerFnResult`.

    Args:
        objective: Called as `objective(trial, fn_args)` for each trial, with an Optuna trial
            (`suggest_float` and so on, `report`, `should_prune`, `set_user_attr`); returns the score. What
            it sets as user attributes that are numbers are the trial's metrics.
        n_trials: How many trials there are.
        sampler: An Optuna sampler; by default `TPESampler`, seeded with the run's seed.
        pruner: An Optuna pruner; by default `MedianPruner`.
        direction: "minimize" or "maximize".
        max_consecutive_failed_trials: The search stops when so many trials in a row raise an exception.

    Raises:
        ImportError: If Optuna is not installed; it names the extra.
        TypeError: If the objective is not a function, or `n_trials` not a whole number.
        ValueError: If a number or the direction is not possible.

    Example:
        def objective(trial, fn_args):
            model = build_model(trial.suggest_int("units", 4, 64, log=True))
            history = model.fit(..., callbacks=[OptunaPruning(trial, "val_loss")])
            return min(history.history["val_loss"])

        def tuner_fn(fn_args):
            return OptunaSearch(objective, n_trials=20)
    """

    objective: Callable[[Any, Any], float]
    n_trials: int
    sampler: Any = None
    pruner: Any = None
    direction: str = "minimize"
    max_consecutive_failed_trials: int = 3

    def __post_init__(self) -> None:
        require_optuna()
        if not callable(self.objective):
            raise TypeError(
                "OptunaSearch.objective is a function objective(trial, fn_args). "
                f"Received: {self.objective!r}"
            )
        for name in ("n_trials", "max_consecutive_failed_trials"):
            number = getattr(self, name)
            if not isinstance(number, int) or isinstance(number, bool):
                raise TypeError(f"OptunaSearch.{name} is a whole number. Received: {number!r}")
            if number < 1:
                raise ValueError(f"OptunaSearch.{name} is 1 or more. Received: {number}")
        if self.direction not in DIRECTIONS:
            raise ValueError(
                f"OptunaSearch.direction is one of {list(DIRECTIONS)}. Received: {self.direction!r}"
            )
        for name, method in (("sampler", "sample_independent"), ("pruner", "prune")):
            given = getattr(self, name)
            if given is not None and not hasattr(given, method):
                raise TypeError(
                    f"OptunaSearch.{name} is an object of optuna.{name}s. Received: {given!r}"
                )


def require_optuna() -> None:
    """Raise an `ImportError` that names the extra, if Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "OptunaSearch needs Optuna, which is not installed. "
            f"Install it: {install_command('optuna')}",
            name="optuna",
        ) from error
