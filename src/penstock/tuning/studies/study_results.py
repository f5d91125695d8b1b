"""The trials of an Optuna study, as the table and the file that every search writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.tuning.failed_trials import failure_of
from penstock.tuning.keras_search import FinishedSearch
from penstock.tuning.trial_results import best_first, finite

MESSAGE = "penstock:message"
"""User attribute of a trial: why it failed."""

REPLACED = "penstock:run_again"
"""User attribute of a trial that was interrupted, and of a study the numbers of those that failed."""

_STATUS = {"COMPLETE": "COMPLETED", "PRUNED": "PRUNED", "FAIL": "FAILED"}


def finished_study(study: Any, trials: Sequence[Any]) -> FinishedSearch:
    """Return what a study has found.

    Args:
        study: An Optuna study.
        trials: Its trials that have ended.

    Raises:
        ValueError: If no trial completed.
    """
    rows = [_row(trial) for trial in trials]
    if not any(row["status"] == "COMPLETED" for row in rows):
        messages = [row["message"] for row in rows if row["status"] == "FAILED"]
        pruned = len(rows) - len(messages)
        last = f" The last that failed: {failure_of(messages[-1])}" if messages else ""
        raise ValueError(
            f"None of {len(rows)} trials completed: {pruned} were pruned, {len(messages)} failed.{last}"
        )
    best = study.best_trial
    maximize = study.direction.name == "MAXIMIZE"
    return FinishedSearch(best_first(rows, maximize=maximize), hyperparameters_of(best))


def _row(trial: Any) -> dict[str, Any]:
    state = trial.state.name
    message = str(trial.user_attrs.get(MESSAGE, ""))
    if state == "PRUNED" and trial.intermediate_values:
        step = max(trial.intermediate_values)
        message = f"pruned at step {step} with {trial.intermediate_values[step]:.4g}"
    return {
        "trial_id": str(trial.number),
        "status": _STATUS[state],
        "score": finite(trial.value) if state == "COMPLETE" else None,
        "metrics": {
            name: finite(value)
            for name, value in trial.user_attrs.items()
            if isinstance(value, int | float)
            and not isinstance(value, bool)
            and not name.startswith("penstock:")
        },
        "hyperparameters": dict(trial.params),
        "seconds": round(trial.duration.total_seconds(), 3) if trial.duration else None,
        "message": message,
    }


def hyperparameters_of(trial: Any) -> dict[str, Any]:
    """Return a trial's values in the form of `keras_tuner.HyperParameters.get_config()`.

    The values have their types. What KerasTuner has no kind for (choices of several types, or with
    None) is left out of `space`, not of `values`.
    """
    space = [
        entry
        for name, distribution in trial.distributions.items()
        if (entry := _space_entry(name, distribution)) is not None
    ]
    return {"space": space, "values": dict(trial.params)}


def _space_entry(name: str, distribution: Any) -> dict[str, Any] | None:
    kind = type(distribution).__name__
    config: dict[str, Any] = {"name": name, "conditions": []}
    if kind == "CategoricalDistribution":
        choices = list(distribution.choices)
        plain = {type(each) for each in choices}
        if len(plain) != 1 or not plain <= {str, int, float, bool}:
            return None
        config |= {"default": choices[0], "values": choices, "ordered": False}
        return {"class_name": "Choice", "config": config}
    if kind not in ("IntDistribution", "FloatDistribution"):
        return None
    whole = kind == "IntDistribution"
    step = distribution.step
    config |= {
        "default": distribution.low,
        "min_value": distribution.low,
        "max_value": distribution.high,
        # KerasTuner's step multiplies where Optuna's adds.
        "step": None if distribution.log else step,
        "sampling": "log" if distribution.log else "linear",
    }
    return {"class_name": "Int" if whole else "Float", "config": config}
