"""A process that runs trials of a KerasTuner search whose oracle is in its parent."""

from __future__ import annotations

import gc
from typing import Any

from penstock.tuning.keras_search import SearchSettings, fit_kwargs, prepared_trials
from penstock.tuning.parallel.conversation import ParentLine
from penstock.tuning.tuner_fn_result import TunerFnResult


def work_for_oracle(line: ParentLine, result: TunerFnResult, settings: SearchSettings) -> None:
    """Run trials until the parent's oracle has no more.

    Args:
        line: To the parent, where `run_parallel_search` answers.
        result: What `tuner_fn` returned in this process.
        settings: How the search runs.
    """
    tuner = result.tuner
    # Trials of other processes, which Hyperband goes on from, lie in the parent's project.
    tuner.directory, tuner.project_name = line.call("project")
    tuner.oracle = ParentOracle(tuner.oracle, line)
    gc.freeze()
    with prepared_trials(tuner, settings):
        tuner.search(**fit_kwargs(result, settings.callbacks))


class ParentOracle:
    """Stands in for a tuner's oracle: what changes it is called in the parent.

    Args:
        oracle: The one that `tuner_fn` made here, for the settings that it holds.
        line: To the parent.
    """

    def __init__(self, oracle: Any, line: ParentLine) -> None:
        self._oracle = oracle
        self._line = line
        # Tuner's constructor and `search` set them.
        self.multi_worker = False
        self.should_report = True
        self.verbose = 0

    def create_trial(self, tuner_id: str) -> Any:
        """Return the next trial for this process, or one whose status is STOPPED."""
        return self._line.call("create_trial", tuner_id)

    def update_trial(self, trial_id: str, metrics: Any, step: int = 0) -> Any:
        """Report metrics of a trial."""
        return self._line.call("update_trial", trial_id, metrics, step=step)

    def end_trial(self, trial: Any) -> None:
        """Report that a trial has ended."""
        self._line.call("end_trial", trial)

    def get_trial(self, trial_id: str) -> Any:
        """Return a trial, also one of another process."""
        return self._line.call("get_trial", trial_id)

    def get_best_trials(self, num_trials: int = 1) -> Any:
        """Return the best trials so far, of all processes."""
        return self._line.call("get_best_trials", num_trials)

    def get_space(self) -> Any:
        """Return the search space."""
        return self._line.call("get_space")

    def update_space(self, hyperparameters: Any) -> None:
        """Add hyperparameters to the search space."""
        self._line.call("update_space", hyperparameters)

    def remaining_trials(self) -> Any:
        """Return how many trials remain, or None."""
        return self._line.call("remaining_trials")

    def save(self) -> None:
        """Do nothing: the parent keeps the search's record."""

    def reload(self) -> None:
        """Do nothing: the parent keeps the search's record."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._oracle, name)
        if callable(value):
            return lambda *arguments, **named: self._line.call(name, *arguments, **named)
        return value
