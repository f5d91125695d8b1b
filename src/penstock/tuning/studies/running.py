"""Running an Optuna search: here, or for a parent that holds the study."""

from __future__ import annotations

from typing import Any

from penstock.progress import stage
from penstock.tuning.keras_search import FinishedSearch, SearchSettings, seed_trial
from penstock.tuning.parallel.conversation import ParentLine
from penstock.tuning.studies.objective import run_objective
from penstock.tuning.studies.optuna_search import OptunaSearch
from penstock.tuning.studies.study_host import (
    TRIAL_METHODS,
    TRIAL_PROPERTIES,
    StudyHost,
    first_number,
)


def run_study(search: OptunaSearch, fn_args: Any, settings: SearchSettings) -> FinishedSearch:
    """Run an Optuna search, one trial after another in this process.

    Args:
        search: What `tuner_fn` returned.
        fn_args: What the objective is given.
        settings: How it runs.

    Raises:
        TooManyFailures: If too many trials fail in a row.
        ValueError: If no trial completed.
    """
    host = StudyHost(search, settings)
    while (trial := host.begin()) is not None:
        seed_trial(settings, str(first_number(trial)))
        with stage(host.progress()):
            outcome = run_objective(search, trial, fn_args)
        host.end(outcome)
    return host.finish()


def work_for_study(
    line: ParentLine, search: OptunaSearch, fn_args: Any, settings: SearchSettings
) -> None:
    """Run trials until the parent's study has no more.

    Args:
        line: To the parent.
        search: What `tuner_fn` returned in this process.
        fn_args: What the objective is given.
        settings: How the search runs.
    """
    while (number := line.call("begin")) is not None:
        seed_trial(settings, str(number))
        line.call("end", run_objective(search, ParentTrial(line), fn_args))


class ParentTrial:
    """An Optuna trial whose study is in the parent: what is suggested and reported goes there.

    It has the public methods and properties of `optuna.Trial`, except `study`.

    Args:
        line: To the parent.
    """

    def __init__(self, line: ParentLine) -> None:
        self._line = line

    def __getattr__(self, name: str) -> Any:
        if name in TRIAL_METHODS:
            return lambda *arguments, **named: self._line.call(name, *arguments, **named)
        if name in TRIAL_PROPERTIES:
            return self._line.call(name)
        raise AttributeError(
            f"A trial in a process of its own has no {name!r}: its study is in another process. It has "
            f"{', '.join(sorted(TRIAL_METHODS | TRIAL_PROPERTIES))}."
        )
