"""Running a KerasTuner search, one trial after another in this process."""

from __future__ import annotations

import contextlib
import gc
import logging
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from penstock.progress import stage
from penstock.tuning.failed_trials import check_completed, failure_of, too_many_failures
from penstock.tuning.kept_folder import KeptFolder
from penstock.tuning.search_record import SearchRecord
from penstock.tuning.trial_results import search_results
from penstock.tuning.tuner_fn_result import TunerFnResult


class FinishedSearch(NamedTuple):
    """What a search has found.

    Attributes:
        trials: One dict per trial, the best first: `trial_id`, `status`, `score`, `metrics`,
            `hyperparameters`, `seconds`, `message`.
        best: The best hyperparameters, as `keras_tuner.HyperParameters.get_config()` returns them.
    """

    trials: list[dict[str, Any]]
    best: dict[str, Any]


@dataclass(frozen=True)
class SearchSettings:
    """How a search runs.

    Args:
        seed: Each trial is seeded with it and its own id, so that a trial does not depend on those
            before it; None leaves the generators alone.
        folder: Where the attempts of one execution leave things to one another; None without one.
        kept: Keeps that folder at a URL, too, for an attempt on another machine.
        callbacks: More Keras callbacks for the trials; not used for a tuner with its own `run_trial`,
            which may take none.
        seed_process: Seeds this process; by default `keras.utils.set_random_seed`.
        before_build: Called before a trial builds its model, for what KerasTuner resets.
        log: Where it is said how trials end.
    """

    seed: int | None = None
    folder: str | None = None
    kept: KeptFolder | None = None
    callbacks: Sequence[Any] = ()
    seed_process: Callable[[int], None] | None = None
    before_build: Callable[[], None] | None = None
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("penstock.tuning"))


def run_search(result: TunerFnResult, settings: SearchSettings | None = None) -> FinishedSearch:
    """Run a KerasTuner search.

    Args:
        result: What `tuner_fn` returned.
        settings: How it runs.

    Raises:
        ValueError: If no trial completed, or as many as the tuner allows have failed in a row.
    """
    settings = settings or SearchSettings()
    tuner = result.tuner
    record = SearchRecord.of(tuner, settings.folder, settings.kept)
    say_resumed(tuner, record, settings.log)
    # KerasTuner collects garbage twice a trial; what is there already need not be looked at each time.
    gc.freeze()
    try:
        with prepared_trials(tuner, settings), _recorded(tuner, record, settings.log):
            tuner.search(**fit_kwargs(result, settings.callbacks))
    except RuntimeError as error:
        if (failures := too_many_failures(tuner.oracle, error)) is None:
            raise
        record.retry_failures(tuner.oracle)
        raise failures from None
    finally:
        gc.unfreeze()
    return finished(tuner, record)


def finished(tuner: Any, record: SearchRecord) -> FinishedSearch:
    """Return what a tuner has found.

    Raises:
        ValueError: If no trial completed.
    """
    trials = search_results(tuner, record.seconds)
    check_completed(tuner, trials)
    return FinishedSearch(trials, dict(tuner.get_best_hyperparameters()[0].get_config()))


def say_resumed(tuner: Any, record: SearchRecord, log: logging.Logger) -> None:
    """Say that a search goes on with trials that were there before, if it does."""
    if record.resumed:
        log.info(
            "The search goes on after %d finished trials of an earlier attempt", record.resumed
        )
    elif trials := getattr(tuner.oracle, "trials", None):
        log.warning(
            "The search goes on with %d trials that the tuner has found in %s, perhaps of another run. "
            "Leave its directory out, or set overwrite=True.",
            len(trials),
            getattr(tuner, "project_dir", "its project"),
        )


def fit_kwargs(result: TunerFnResult, callbacks: Sequence[Any]) -> dict[str, Any]:
    """Return the arguments of `tuner.search`, with more callbacks if KerasTuner itself runs the trials."""
    arguments = dict(result.fit_kwargs or {})
    run_trial = getattr(type(result.tuner), "run_trial", None)
    if callbacks and getattr(run_trial, "__module__", "").startswith("keras_tuner."):
        arguments["callbacks"] = [*(arguments.get("callbacks") or ()), *callbacks]
    return arguments


@contextlib.contextmanager
def prepared_trials(tuner: Any, settings: SearchSettings) -> Iterator[None]:
    """Within the block, seed each trial, and call `before_build` before its model is built."""

    def seeded(trial: Any) -> None:
        seed_trial(settings, trial.trial_id)

    with contextlib.ExitStack() as hooks:
        if settings.seed is not None:
            hooks.enter_context(called_first(tuner, "on_trial_begin", seeded))
        hypermodel = getattr(tuner, "hypermodel", None)
        before_build = settings.before_build
        if before_build is not None and hypermodel is not None:
            hooks.enter_context(called_first(hypermodel, "build", lambda _: before_build()))
        yield


def seed_trial(settings: SearchSettings, trial_id: str) -> None:
    """Seed everything random for one trial, if the search has a seed."""
    if settings.seed is None:
        return
    seed_process = settings.seed_process
    if seed_process is None:
        import keras

        seed_process = keras.utils.set_random_seed
    seed_process((settings.seed + zlib.crc32(str(trial_id).encode())) % 2**32)


@contextlib.contextmanager
def called_first(owner: Any, name: str, function: Callable[[Any], None]) -> Iterator[None]:
    """Within the block, a method of an object calls a function with its first argument before it runs."""
    method = getattr(owner, name, None)
    if method is None:
        yield
        return
    own = vars(owner).get(name)

    def both(first: Any, *more: Any, **named: Any) -> Any:
        function(first)
        return method(first, *more, **named)

    setattr(owner, name, both)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)


@contextlib.contextmanager
def _recorded(tuner: Any, record: SearchRecord, log: logging.Logger) -> Iterator[None]:
    """Within the block, show which trial it is, and record each one that begins and ends."""
    end = getattr(tuner, "on_trial_end", None)
    if end is None:
        yield
        return
    began = 0.0
    with contextlib.ExitStack() as trial_stage:

        def on_trial_begin(trial: Any) -> None:
            nonlocal began
            record.save(tuner.oracle)
            trial_stage.close()
            trial_stage.enter_context(stage(progress_of(tuner.oracle)))
            began = time.monotonic()

        def on_trial_end(trial: Any) -> None:
            end(trial)
            record.seconds[trial.trial_id] = round(time.monotonic() - began, 3)
            record.save(tuner.oracle)
            say_failure(tuner.oracle.trials.get(trial.trial_id), log)

        tuner.on_trial_end = on_trial_end
        try:
            with called_first(tuner, "on_trial_begin", on_trial_begin):
                yield
        finally:
            del tuner.on_trial_end


def progress_of(oracle: Any) -> str:
    """Return how far a search is, such as "trial 3 of 20, best val_loss 0.31".

    With several trials at a time it says how many: "trial 3 of 20 (2 running), best val_loss 0.31".
    """
    most = getattr(oracle, "max_trials", None)
    text = f"trial {len(oracle.trials):,}" + (f" of {most:,}" if most else "")
    if len(oracle.ongoing_trials) > 1:
        text += f" ({len(oracle.ongoing_trials)} running)"
    done = [each for each in oracle.trials.values() if each.status == "COMPLETED"]
    best = oracle.get_best_trials(1) if done else []
    if best and best[0].score is not None:
        text += f", best {oracle.objective.name} {best[0].score:.4g}"
    return text


def say_failure(trial: Any, log: logging.Logger) -> None:
    """Warn of a trial that has failed, with the user's line."""
    if trial is not None and str(trial.status) in ("FAILED", "INVALID"):
        log.warning("trial %s failed: %s", trial.trial_id, failure_of(trial.message or ""))


def check_result(result: Any) -> None:
    """Raise an error unless `tuner_fn` returned what a search is made of.

    Raises:
        ValueError: It says what was returned.
    """
    if not hasattr(result, "tuner") or not hasattr(result, "fit_kwargs"):
        raise ValueError(
            "tuner_fn must return TunerFnResult(tuner, fit_kwargs) or OptunaSearch(objective, n_trials). "
            f"Received: {type(result).__name__}"
        )
    if result.fit_kwargs is not None and not isinstance(result.fit_kwargs, Mapping):
        raise ValueError(
            "TunerFnResult.fit_kwargs holds the arguments of tuner.search by name, as a dict. "
            f"Received: {type(result.fit_kwargs).__name__}"
        )
    missing = [
        name
        for name in ("search", "get_best_hyperparameters", "oracle")
        if not hasattr(result.tuner, name)
    ]
    if missing:
        raise ValueError(
            "TunerFnResult.tuner must be a KerasTuner tuner, or have its search, "
            f"get_best_hyperparameters and oracle. Received: {type(result.tuner).__name__} without "
            f"{', '.join(missing)}"
        )
