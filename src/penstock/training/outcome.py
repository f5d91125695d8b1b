"""What a `run_fn` left behind: its numbers, and the model that it exported."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from penstock.artifacts import Model
from penstock.training.fn_args import FnArgs
from penstock.training.user_functions import UserFunctionError

HISTORY_FILE = "history.json"


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """How `run_fn` ended.

    Attributes:
        history: What it returned, as numbers by epoch.
        left_out: Names of what held no numbers.
        run_fn: Its name and where it is defined.
        replicas: Copies of the model that trained.
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    run_fn: str = "run_fn"
    replicas: int = 1


def check_exported(fn_args: FnArgs, run_fn: str, log: logging.Logger, missing: str = "") -> None:
    """Check that `run_fn` exported a model.

    Args:
        fn_args: What it was given.
        run_fn: Its name and where it is defined.
        log: Is told about a model that servers cannot load.
        missing: Why there is only a `.keras` file, where that is known.

    Raises:
        UserFunctionError: If it wrote none.
    """
    serving, evaluation = fn_args.serving_model_dir, fn_args.eval_model_dir
    keras = os.path.join(os.path.dirname(serving or ""), Model.KERAS_FOLDER)
    if not any(folder and os.path.isdir(folder) for folder in (serving, evaluation, keras)):
        raise UserFunctionError(
            f"{run_fn} exported no model: it returned without writing to "
            "fn_args.serving_model_dir. Call penstock.training.export_model(model, "
            "fn_args.serving_model_dir, ...) in it."
        )
    if missing:
        log.warning("%s", missing)
    elif not os.path.isfile(f"{serving}/saved_model.pb"):
        log.warning(
            "fn_args.serving_model_dir (%s) has no saved_model.pb. The Evaluator, the Pusher and "
            "servers need a SavedModel: penstock.training.export_model writes one.",
            serving,
        )


def keep_history(
    history: Mapping[str, Sequence[float]], folder: str, log: logging.Logger
) -> dict[str, float]:
    """Write numbers by epoch as `history.json`, and return the last ones that are finite.

    Args:
        history: Values of each epoch by name.
        folder: Where to; it is made.
        log: Is told which of the last values are not finite.
    """
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{HISTORY_FILE}", "w") as file:
        json.dump(history, file, indent=2, sort_keys=True)
    last = {name: values[-1] for name, values in history.items() if values}
    for name in (name for name, value in last.items() if not isfinite(value)):
        log.warning("The last value of %r is %s", name, last[name])
    return {name: value for name, value in last.items() if isfinite(value)}
