"""Running a KerasTuner search, and writing its results in TFX's format."""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from penstock.progress import stage

BEST_HYPERPARAMETERS_FILE = "best_hyperparameters.txt"
RESULTS_FILE = "tuner_results.json"

_LINES_OF_TRACEBACK = 7


class TunerFnResult(NamedTuple):
    """The result of `tuner_fn`.

    Attributes:
        tuner: A KerasTuner tuner, or anything with its `search`, `get_best_hyperparameters` and `oracle`.
        fit_kwargs: Arguments of `tuner.search`, such as the datasets.
    """

    tuner: Any
    fit_kwargs: Mapping[str, Any]


def run_search(result: TunerFnResult, callbacks: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Run a search and return its trials, the best first.

    Args:
        result: What `tuner_fn` returned.
        callbacks: More Keras callbacks for the trials; not used for a tuner with its own
            `run_trial`, which may take none.

    Returns:
        One dict per trial: `trial_id`, `status`, `score`, `metrics` and `hyperparameters`.

    Raises:
        ValueError: If it is not a `TunerFnResult`, or no trial completed.
    """
    if not hasattr(result, "tuner") or not hasattr(result, "fit_kwargs"):
        raise ValueError(
            f"tuner_fn must return TunerFnResult(tuner, fit_kwargs). "
            f"Received: {type(result).__name__}"
        )
    # KerasTuner collects garbage twice a trial; what is there already need not be looked at each time.
    gc.freeze()
    try:
        with _told(result.tuner):
            result.tuner.search(**_fit_kwargs(result, callbacks))
    finally:
        gc.unfreeze()
    trials = search_results(result.tuner)
    if not any(trial["status"] == "COMPLETED" for trial in trials):
        raise ValueError(_why_none(result.tuner, trials))
    return trials


def _why_none(tuner: Any, trials: Sequence[Mapping[str, Any]]) -> str:
    told = [str(trial["message"]).strip().split("\n") for trial in trials if trial["message"]]
    lead = f"None of {len(trials)} trials completed."
    if not told:
        return (
            f"{lead} The objective {_objective_names(tuner)} was NaN, or had no value, in each. Look at "
            "the loss, the learning rate and the data."
        )
    reasons = sorted({lines[-1] for lines in told})
    names = _objective_names(tuner)
    if all(reason.startswith("KeyError") and reason.endswith(f"{names}") for reason in reasons):
        return (
            f"{lead} The model reports no {names}, which is the tuner's objective. Name a metric as Keras "
            "does, such as 'val_accuracy'; those with 'val_' need validation_data in fit_kwargs."
        )
    where = "\n".join(told[0][-_LINES_OF_TRACEBACK:])
    return f"{lead} Last errors: {'; '.join(reasons)}\n{where}"


def _objective_names(tuner: Any) -> str:
    objective = getattr(tuner.oracle, "objective", None)
    each = getattr(objective, "objectives", [objective])
    return ", ".join(repr(getattr(one, "name", one)) for one in each)


@contextlib.contextmanager
def _told(tuner: Any) -> Iterator[None]:
    """Says which trial it is, by KerasTuner's hook at a trial's begin."""
    begin = getattr(tuner, "on_trial_begin", None)
    if begin is None:
        yield
        return
    most = getattr(tuner.oracle, "max_trials", None)
    numbers = itertools.count(1)
    with contextlib.ExitStack() as trial_stage:

        def on_trial_begin(trial: Any) -> None:
            trial_stage.close()
            text = f"trial {next(numbers):,}" + (f" of {most:,}" if most else "")
            trial_stage.enter_context(stage(text))
            begin(trial)

        tuner.on_trial_begin = on_trial_begin
        try:
            yield
        finally:
            del tuner.on_trial_begin


def _fit_kwargs(result: TunerFnResult, callbacks: Sequence[Any]) -> dict[str, Any]:
    arguments = dict(result.fit_kwargs or {})
    run_trial = getattr(type(result.tuner), "run_trial", None)
    if callbacks and getattr(run_trial, "__module__", "").startswith("keras_tuner."):
        arguments["callbacks"] = [*(arguments.get("callbacks") or ()), *callbacks]
    return arguments


def search_results(tuner: Any) -> list[dict[str, Any]]:
    """Return a tuner's trials, the best first; failed ones last.

    A score or metric that is not finite is None: JSON has no such number, and it is no score.
    """
    trials = [
        {
            "trial_id": trial.trial_id,
            "status": str(trial.status),
            "score": _finite(trial.score),
            "metrics": {
                name: _finite(trial.metrics.get_statistics(name)["mean"])
                for name in getattr(trial.metrics, "metrics", {})
                if trial.metrics.get_history(name)
            },
            "hyperparameters": dict(trial.hyperparameters.values),
            "message": trial.message or "",
        }
        for trial in tuner.oracle.trials.values()
    ]
    sign = -1.0 if getattr(tuner.oracle.objective, "direction", "min") == "max" else 1.0
    return sorted(
        trials,
        key=lambda t: (t["score"] is None, sign * t["score"] if t["score"] is not None else 0.0),
    )


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def write_best_hyperparameters(tuner: Any, folder: str) -> dict[str, Any]:
    """Write the best trial's hyperparameters as TFX does, and return them.

    Args:
        tuner: A tuner that has searched.
        folder: Where `best_hyperparameters.txt` goes: the JSON of `HyperParameters.get_config()`.
    """
    config: dict[str, Any] = tuner.get_best_hyperparameters()[0].get_config()
    path = Path(folder, BEST_HYPERPARAMETERS_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))
    return config


def read_best_hyperparameters(folder: str) -> dict[str, Any]:
    """Read what `write_best_hyperparameters` (or TFX's Tuner) wrote."""
    path = Path(folder, BEST_HYPERPARAMETERS_FILE)
    if not path.is_file():
        raise FileNotFoundError(f"No hyperparameters at {path}.")
    try:
        config: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return config


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
