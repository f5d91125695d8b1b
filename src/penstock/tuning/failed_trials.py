"""What is said about trials that failed, and about a search in which all did."""

from __future__ import annotations

import os
import re
import sysconfig
from collections.abc import Mapping, Sequence
from typing import Any

_LINES_OF_TRACEBACK = 7
_FRAME = re.compile(r'^ *File "([^"]+)", line (\d+), in (\S+)', re.MULTILINE)
_INSTALLED = tuple(
    sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def failure_of(message: str) -> str:
    """Return in a line why a trial failed, with the user's line that it came from.

    Args:
        message: The trial's message: a traceback as text, or a sentence.

    Example:
        >>> failure_of(trial.message)
        'ValueError: units must be positive (modules/search.py, line 12, in build)'
    """
    reason = (message.strip() or "it has no score").split("\n")[-1]
    users = [
        (file, line, function)
        for file, line, function in _FRAME.findall(message)
        if not file.startswith((*_INSTALLED, _OWN)) and "site-packages" not in file
    ]
    if not users:
        return reason
    file, line, function = users[-1]
    shown = os.path.relpath(file) if os.path.isabs(file) else file
    return f"{reason} ({file if shown.startswith('..') else shown}, line {line}, in {function})"


class TooManyFailures(ValueError):
    """So many trials have failed one after another that the search was stopped."""


def too_many_failures(oracle: Any, error: Exception) -> TooManyFailures | None:
    """Return what is raised instead of an oracle's error, if it is the one of too many failed trials.

    Args:
        oracle: A KerasTuner oracle.
        error: What it has raised when a trial ended.
    """
    if not str(error).startswith("Number of consecutive failures exceeded"):
        return None
    message = str(oracle.trials[oracle.end_order[-1]].message or "")
    return failures_in_a_row(oracle.max_consecutive_failed_trials, message)


def failures_in_a_row(count: int, message: str) -> TooManyFailures:
    """Return the error for so many trials that have failed one after another.

    Args:
        count: How many.
        message: The last one's traceback, or a sentence.
    """
    lines = message.strip().split("\n")
    where = "\n".join(lines[-_LINES_OF_TRACEBACK:]) if len(lines) > 1 else ""
    return TooManyFailures(
        f"{count} trials failed one after another. The last: {failure_of(message)}"
        + (f"\n{where}" if where else "")
    )


def check_completed(tuner: Any, trials: Sequence[Mapping[str, Any]]) -> None:
    """Raise an error that says why, if no trial of a KerasTuner search completed.

    Raises:
        ValueError: It names the objective, or the trials' errors.
    """
    if any(trial["status"] == "COMPLETED" for trial in trials):
        return
    told = [str(trial["message"]).strip().split("\n") for trial in trials if trial["message"]]
    lead = f"None of {len(trials)} trials completed."
    names = _objective_names(tuner)
    if not told:
        raise ValueError(
            f"{lead} The objective {names} was NaN, or had no value, in each. Look at "
            "the loss, the learning rate and the data."
        )
    reasons = sorted({lines[-1] for lines in told})
    if all(reason.startswith("KeyError") and reason.endswith(names) for reason in reasons):
        raise ValueError(
            f"{lead} The model reports no {names}, which is the tuner's objective. Name a metric as Keras "
            "does, such as 'val_accuracy'; those with 'val_' need validation_data in fit_kwargs."
        )
    where = "\n".join(told[0][-_LINES_OF_TRACEBACK:])
    raise ValueError(f"{lead} Last errors: {'; '.join(reasons)}\n{where}")


def _objective_names(tuner: Any) -> str:
    objective = getattr(tuner.oracle, "objective", None)
    each = getattr(objective, "objectives", [objective])
    return ", ".join(repr(getattr(one, "name", one)) for one in each)
