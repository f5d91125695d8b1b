"""The one study of a search whose trials run here or in several processes."""

from __future__ import annotations

from typing import Any

from penstock.progress import tell
from penstock.tuning.failed_trials import failure_of, failures_in_a_row
from penstock.tuning.keras_search import FinishedSearch, SearchSettings
from penstock.tuning.parallel.conversation import Call
from penstock.tuning.parallel.workers import MOST_LOSSES
from penstock.tuning.studies.objective import Outcome
from penstock.tuning.studies.optuna_search import OptunaSearch
from penstock.tuning.studies.study_record import StudyRecord
from penstock.tuning.studies.study_results import MESSAGE, REPLACED, finished_study

_RETRY_OF = "penstock:retry_of"

TRIAL_METHODS = frozenset(
    {
        "suggest_float", "suggest_int", "suggest_categorical", "report", "should_prune",
        "set_user_attr",
    }
)  # fmt: skip
TRIAL_PROPERTIES = frozenset(
    {"number", "params", "distributions", "user_attrs", "datetime_start", "relative_params"}
)


def first_number(trial: Any) -> int:
    """Return the number that a trial had when it was run first."""
    return int(trial.user_attrs.get(_RETRY_OF, trial.number))


class StudyHost:
    """Begins and ends the trials of a study, and records what comes of them.

    Args:
        search: What `tuner_fn` returned.
        settings: How the search runs.
    """

    def __init__(self, search: OptunaSearch, settings: SearchSettings) -> None:
        self._search = search
        self._log = settings.log
        self._record = StudyRecord(search, settings)
        self._study = self._record.study
        self._running: dict[int, Any] = {}
        self._failed_in_a_row = 0
        if self._record.resumed:
            for trial in self._trials("RUNNING"):
                self._run_again(trial)
            done = len(self._ended())
            self._log.info(
                "The search goes on after %d finished trials of an earlier attempt", done
            )

    def begin(self, worker: int = 0) -> Any | None:
        """Return the next trial for a worker, an Optuna trial; None if there are no more."""
        if len(self._ended()) + len(self._running) >= self._search.n_trials:
            return None
        trial = self._running[worker] = self._study.ask()
        return trial

    def end(self, outcome: Outcome, worker: int = 0) -> None:
        """Take note of how a worker's trial ended.

        Raises:
            TooManyFailures: If too many have failed in a row.
        """
        from optuna.trial import TrialState

        trial = self._running.pop(worker)
        if outcome.message:
            trial.set_user_attr(MESSAGE, outcome.message)
        self._study.tell(trial, outcome.value, state=TrialState[outcome.state])
        self._failed_in_a_row = self._failed_in_a_row + 1 if outcome.state == "FAIL" else 0
        if outcome.state == "FAIL":
            self._log.warning("trial %d failed: %s", trial.number, failure_of(outcome.message))
        if self._failed_in_a_row >= self._search.max_consecutive_failed_trials:
            for each in self._trials("FAIL"):
                self._run_again(each)  # by the next attempt
            self._record.save()
            raise failures_in_a_row(self._failed_in_a_row, outcome.message)
        self._record.save()

    def answer(self, worker: int, call: Call) -> Any:
        """Do what a worker asks for."""
        if call.name == "begin":
            trial = self.begin(worker)
            return None if trial is None else first_number(trial)
        if call.name == "end":
            return self.end(call.arguments[0], worker)
        trial = self._running[worker]
        if call.name in TRIAL_PROPERTIES:
            return getattr(trial, call.name)
        if call.name in TRIAL_METHODS:
            return getattr(trial, call.name)(*call.arguments, **(call.named or {}))
        raise AttributeError(f"A trial in a process of its own has no {call.name!r}.")

    def lost(self, worker: int, how: str) -> bool:
        """Have the trial of a worker that died run again, or give it up."""
        trial = self._running.get(worker)
        if trial is None:
            return False
        first = first_number(trial)
        losses = self._record.losses[first] = self._record.losses.get(first, 0) + 1
        if losses > MOST_LOSSES:
            message = f"Its process {how}, and so did {MOST_LOSSES} before it."
            self.end(Outcome("FAIL", message=message), worker)
            return True
        del self._running[worker]
        self._run_again(self._study.trials[trial.number])
        self._record.save()
        self._log.warning(
            "The process of trial %d %s; the trial is run again (%d of %d)",
            trial.number,
            how,
            losses,
            MOST_LOSSES,
        )
        return True

    def _run_again(self, trial: Any) -> None:
        """Have a trial run again with the values that it has been given, under a new number."""
        from optuna.trial import TrialState

        storage = self._study._storage
        if trial.state == TrialState.RUNNING:
            storage.set_trial_user_attr(trial._trial_id, REPLACED, True)
            storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        elif REPLACED not in trial.user_attrs:
            # Ended trials cannot be changed, but what the study says of them can.
            replaced = self._study.user_attrs.get(REPLACED, [])
            self._study.set_user_attr(REPLACED, [*replaced, trial.number])
        self._study.enqueue_trial(trial.params, user_attrs={_RETRY_OF: first_number(trial)})

    def _trials(self, *states: str) -> list[Any]:
        """Return trials in some states, without those that were run again."""
        replaced = self._study.user_attrs.get(REPLACED, [])
        return [
            each
            for each in self._study.get_trials(deepcopy=False)
            if each.state.name in states
            and REPLACED not in each.user_attrs
            and each.number not in replaced
        ]

    def _ended(self) -> list[Any]:
        return self._trials("COMPLETE", "PRUNED", "FAIL")

    def finish(self) -> FinishedSearch:
        """Return what the search has found.

        Raises:
            ValueError: If no trial completed.
        """
        return finished_study(self._study, self._ended())

    def tell(self) -> None:
        """Show how far the search is."""
        text = self.progress()
        if text:
            tell(text)

    def progress(self) -> str:
        """Return how far the search is, such as "trial 3 of 20 (2 running), 1 pruned, best 0.31"."""
        ended, running = len(self._ended()), len(self._running)
        if not ended + running:
            return ""
        text = f"trial {ended + running:,} of {self._search.n_trials:,}"
        text += f" ({running} running)" if running > 1 else ""
        pruned = len(self._trials("PRUNED"))
        text += f", {pruned} pruned" if pruned else ""
        if self._trials("COMPLETE"):
            text += f", best {self._study.best_value:.4g}"
        return text
