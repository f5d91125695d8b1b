"""What a `run_fn` left behind: its numbers, and the model that it exported."""

from __future__ import annotations

import glob
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
        elsewhere = _models_elsewhere(fn_args)
        found = f" It wrote {elsewhere[0]}, where nobody looks." if elsewhere else ""
        raise UserFunctionError(
            f"{run_fn} exported no model: it returned without writing to "
            f"fn_args.serving_model_dir.{found} Call penstock.training.export_model(model, "
            "fn_args.serving_model_dir, ...) in it."
        )
    if missing:
        log.warning("%s", missing)
    elif os.path.isfile(f"{serving}/model.pkl"):
        log.info("A scikit-learn estimator: the Evaluator and load_model take it, servers do not.")
    elif not os.path.isfile(f"{serving}/saved_model.pb"):
        elsewhere = _models_elsewhere(fn_args)
        log.warning(
            "fn_args.serving_model_dir (%s) has no saved_model.pb. The Evaluator, the Pusher and "
            "servers need a SavedModel: penstock.training.export_model writes one.%s",
            serving,
            f" There is {elsewhere[0]}: write to fn_args.serving_model_dir itself."
            if elsewhere
            else "",
        )


def _models_elsewhere(fn_args: FnArgs) -> list[str]:
    """Return models that `run_fn` wrote into another of its folders."""
    serving = fn_args.serving_model_dir
    roots = (os.path.dirname(serving or ""), fn_args.model_run_dir, fn_args.working_dir)
    found = []
    for root in dict.fromkeys(each for each in roots if each):
        for depth in range(4):
            for name in ("saved_model.pb", "*.keras", "model.pkl"):
                pattern = os.path.join(glob.escape(root), *["*"] * depth, name)
                found += [path for path in glob.glob(pattern) if _is_misplaced(path, serving)]
    return found


def _is_misplaced(path: str, serving: str | None) -> bool:
    folder = os.path.dirname(path)
    return folder != serving and os.path.basename(folder) != Model.KERAS_FOLDER


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
