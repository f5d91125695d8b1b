"""The one oracle of a KerasTuner search whose trials run in several processes."""

from __future__ import annotations

import logging
import time
from typing import Any

from penstock.progress import tell
from penstock.tuning.failed_trials import too_many_failures
from penstock.tuning.keras_search import (
    FinishedSearch,
    SearchSettings,
    finished,
    progress_of,
    say_failure,
    say_resumed,
)
from penstock.tuning.parallel.conversation import Call
from penstock.tuning.parallel.workers import LATER, MOST_LOSSES, TrialWorkers
from penstock.tuning.search_record import SearchRecord
from penstock.tuning.tuner_fn_result import TunerFnResult

_METHODS = frozenset(
    {
        "create_trial", "update_trial", "end_trial", "get_trial", "get_best_trials", "get_space",
        "update_space", "remaining_trials",
    }
)  # fmt: skip


def check_parallel(tuner: Any) -> None:
    """Raise an error if a tuner cannot run several trials at a time.

    Raises:
        ValueError: If it is not one of KerasTuner's, whose trials and oracle are apart.
    """
    from keras_tuner import Oracle
    from keras_tuner.engine.base_tuner import BaseTuner

    if not isinstance(tuner, BaseTuner) or not isinstance(tuner.oracle, Oracle):
        raise ValueError(
            "Only a tuner of KerasTuner's, with an oracle of KerasTuner's, can run several trials at a "
            f"time; {type(tuner).__module__}.{type(tuner).__qualname__} is none. Set num_parallel_trials "
            "to 1."
        )


def check_folders_apart(result: TunerFnResult, folder: str, shared: bool) -> None:
    """Raise an error if trials on machines of their own would miss files of other trials.

    Args:
        result: What `tuner_fn` returned.
        folder: Where the search lies.
        shared: Whether all machines see that folder.

    Raises:
        ValueError: If a later round of Hyperband goes on from weights that another machine wrote.
    """
    from keras_tuner.oracles import HyperbandOracle

    oracle = getattr(result.tuner, "oracle", None)
    if isinstance(oracle, HyperbandOracle) and not shared:
        raise ValueError(
            "Hyperband goes on from the weights of earlier trials, which other pods would not find: the "
            f"search lies in {folder}, and only this pod sees it. Put the pipeline's root on a volume that "
            "all pods mount, choose another oracle, or leave Resources(replicas=...) out."
        )


def run_parallel_search(
    result: TunerFnResult, workers: TrialWorkers, settings: SearchSettings
) -> FinishedSearch:
    """Run a KerasTuner search whose trials run in workers.

    Args:
        result: What `tuner_fn` returned in this process.
        workers: Processes that called `tuner_fn` themselves, and `work_for_oracle`.
        settings: How it runs.

    Raises:
        ValueError: If the tuner cannot, or no trial completed.
    """
    tuner = result.tuner
    check_parallel(tuner)
    record = SearchRecord.of(tuner, settings.folder, settings.kept)
    say_resumed(tuner, record, settings.log)
    if "verbose" in (result.fit_kwargs or {}):
        tuner.oracle.verbose = result.fit_kwargs["verbose"]
    workers.serve(OracleHost(tuner, record, settings.log))
    return finished(tuner, record)


class OracleHost:
    """Makes the workers' calls to the oracle, and records what comes of them.

    Args:
        tuner: The tuner whose oracle it is.
        record: What is known so far.
        log: Where it is said how trials end.
    """

    def __init__(self, tuner: Any, record: SearchRecord, log: logging.Logger) -> None:
        self._project = (str(tuner.directory), str(tuner.project_name))
        self._oracle = tuner.oracle
        self._record = record
        self._log = log
        self._began: dict[str, float] = {}

    def answer(self, worker: int, call: Call) -> Any:
        """Call the oracle for a worker."""
        if call.name == "project":
            return self._project
        if call.name == "create_trial":
            return self._create_trial(worker)
        if call.name == "end_trial":
            return self._end_trial(*call.arguments, **(call.named or {}))
        if call.name not in _METHODS:
            raise AttributeError(
                f"A tuner whose trials run in several processes cannot call oracle.{call.name}. It has "
                f"{', '.join(sorted(_METHODS))}. Set num_parallel_trials to 1 to use all of it."
            )
        return getattr(self._oracle, call.name)(*call.arguments, **(call.named or {}))

    def _create_trial(self, worker: int) -> Any:
        trial = self._oracle.create_trial(_tuner_id(worker))
        # What is running may fail and be tried again, or find hyperparameters that nobody knew of: a space
        # that is exhausted now need not be then.
        if trial.status == "IDLE" or (trial.status == "STOPPED" and self._oracle.ongoing_trials):
            return LATER
        if trial.status == "RUNNING":
            self._record.save(self._oracle)
            self._began[trial.trial_id] = time.monotonic()
        return trial

    def _end_trial(self, trial: Any) -> None:
        began = self._began.pop(trial.trial_id, None)
        if began is not None:
            self._record.seconds[trial.trial_id] = round(time.monotonic() - began, 3)
        try:
            self._oracle.end_trial(trial)
        except RuntimeError as error:
            say_failure(self._oracle.trials[trial.trial_id], self._log)
            if (failures := too_many_failures(self._oracle, error)) is None:
                raise
            self._record.retry_failures(self._oracle)
            raise failures from None
        self._record.save(self._oracle)
        say_failure(self._oracle.trials[trial.trial_id], self._log)

    def lost(self, worker: int, how: str) -> bool:
        """Have the trial of a worker that died run again, or give it up."""
        trial = self._oracle.ongoing_trials.get(_tuner_id(worker))
        if trial is None:
            return False
        losses = self._record.losses.get(trial.trial_id, 0) + 1
        self._record.losses[trial.trial_id] = losses
        if losses <= MOST_LOSSES:
            # The worker that takes its place has its name, and the oracle gives it the trial again.
            self._log.warning(
                "The process of trial %s %s; the trial is run again (%d of %d)",
                trial.trial_id,
                how,
                losses,
                MOST_LOSSES,
            )
            self._record.save(self._oracle)
            return True
        trial.status = "FAILED"
        trial.message = f"Its process {how}, and so did {MOST_LOSSES} before it."
        self._end_trial(trial)
        return True

    def tell(self) -> None:
        """Show how far the search is."""
        if self._oracle.trials:
            tell(progress_of(self._oracle))


def _tuner_id(worker: int) -> str:
    return f"worker-{worker}"
