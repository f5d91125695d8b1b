"""The trials of a search as a table: `tuner_results.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS_FILE = "tuner_results.json"


def search_results(tuner: Any, seconds: Mapping[str, float] | None = None) -> list[dict[str, Any]]:
    """Return the trials of a KerasTuner tuner, the best first; failed ones last.

    A score or metric that is not finite is None: JSON has no such number, and it is no score.

    Args:
        tuner: It has searched.
        seconds: How long each trial took, where that is known.
    """
    trials = [
        {
            "trial_id": trial.trial_id,
            "status": str(trial.status),
            "score": finite(trial.score),
            "metrics": {
                name: finite(trial.metrics.get_statistics(name)["mean"])
                for name in getattr(trial.metrics, "metrics", {})
                if trial.metrics.get_history(name)
            },
            "hyperparameters": dict(trial.hyperparameters.values),
            "seconds": (seconds or {}).get(trial.trial_id),
            "message": trial.message or "",
        }
        for trial in tuner.oracle.trials.values()
    ]
    return best_first(trials, maximize=getattr(tuner.oracle.objective, "direction", "min") == "max")


def best_first(trials: Sequence[dict[str, Any]], *, maximize: bool) -> list[dict[str, Any]]:
    """Return trials by score; those without one come last."""
    sign = -1.0 if maximize else 1.0
    return sorted(
        trials,
        key=lambda t: (t["score"] is None, sign * t["score"] if t["score"] is not None else 0.0),
    )


def finite(value: Any) -> float | None:
    """Return a number, or None if there is none or it is not finite."""
    return float(value) if value is not None and math.isfinite(value) else None


def write_results(trials: list[dict[str, Any]], folder: str) -> None:
    """Write all trials as `tuner_results.json`."""
    path = Path(folder, RESULTS_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(trials, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_results(folder: str) -> list[dict[str, Any]]:
    """Read what `write_results` wrote: the trials, the best first.

    Raises:
        FileNotFoundError: If there are no results.
        ValueError: If the file is damaged.
    """
    path = Path(folder, RESULTS_FILE)
    if not path.is_file():
        raise FileNotFoundError(f"No trials at {path}.")
    try:
        trials = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(trials, list) or not all(isinstance(each, dict) for each in trials):
        raise ValueError(f"{path} holds no list of trials.")
    return trials
