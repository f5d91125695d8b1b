"""Running the user's objective for one trial."""

from __future__ import annotations

import math
import traceback
from typing import Any, NamedTuple

from penstock.tuning.studies.optuna_search import OptunaSearch


class Outcome(NamedTuple):
    """How a trial ended.

    Attributes:
        state: The name of an Optuna trial's state: COMPLETE, PRUNED or FAIL.
        value: The score, if it completed.
        message: Why it failed: a traceback, or a sentence.
    """

    state: str
    value: float | None = None
    message: str = ""


def run_objective(search: OptunaSearch, trial: Any, fn_args: Any) -> Outcome:
    """Call the objective for a trial; its exceptions fail the trial, not the search."""
    import optuna

    try:
        returned: Any = search.objective(trial, fn_args)
    except optuna.TrialPruned:
        return Outcome("PRUNED")
    except Exception:
        return Outcome("FAIL", message=traceback.format_exc())
    try:
        value = float(returned)
    except (TypeError, ValueError):
        return Outcome("FAIL", message=f"ValueError: objective returned {returned!r}, not a number")
    if not math.isfinite(value):
        return Outcome("FAIL", message=f"ValueError: objective returned {value}")
    return Outcome("COMPLETE", value)
