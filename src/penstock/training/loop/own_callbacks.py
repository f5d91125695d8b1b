"""The callbacks that `fit` adds for a Trainer: progress, TensorBoard's files and the training doctor."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from penstock.training.fn_args import FnArgs

if TYPE_CHECKING:
    from penstock.training.doctor import TrainingDoctor


def progress_and_logs(fn_args: FnArgs, given: Sequence[Any], number: int) -> list[Any]:
    """Return a callback for progress and one for TensorBoard's files, unless they are given already.

    Args:
        fn_args: Those of `run_fn`.
        given: The callbacks that `fit` was given.
        number: Which training of the `run_fn` it is, from 1; the later ones have folders of their own.
    """
    from penstock.training.watch.progress import TrainingProgress

    found: list[Any] = []
    if fn_args.is_chief and not _has(given, "TrainingProgress"):
        found.append(TrainingProgress())
    wants_logs = fn_args.is_chief and fn_args.model_run_dir is not None
    # Without the package there is nobody to look at the files.
    can_log = importlib.util.find_spec("tensorboard") is not None
    if wants_logs and can_log and not _has(given, "TensorBoard", "TensorBoardLog"):
        from penstock.training.watch.tensorboard_log import TensorBoardLog

        folder = str(fn_args.model_run_dir)
        found.append(TensorBoardLog(folder if number == 1 else f"{folder}/fit-{number}"))
    return found


def doctor_of(
    mode: str | None,
    fn_args: FnArgs,
    given: Sequence[Any],
    *,
    data: Any,
    validation_data: Any,
    epochs: int,
    steps_per_epoch: int | None,
) -> TrainingDoctor | None:
    """Return the training doctor; None if it is off, or if it is among the given callbacks.

    Args:
        mode: `fit`'s `doctor`; None takes that of `fn_args`.
        fn_args: Those of `run_fn`.
        given: The callbacks that `fit` was given.
        data: What `fit` trains on.
        validation_data: What it validates on.
        epochs: How many epochs it trains.
        steps_per_epoch: Steps of one.

    Raises:
        ValueError: If there is no such mode.
    """
    from penstock.training.doctor import TrainingDoctor

    # One process of a group says it for all.
    if not fn_args.is_chief or (mode is None and _has(given, "TrainingDoctor")):
        return None
    doctor = TrainingDoctor(
        mode,
        data,
        validation_data=validation_data,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        fn_args=fn_args,
    )
    # It keeps losses and reads several at a time, so they need not be fetched after every step.
    doctor.takes_tensors = True
    return None if doctor.mode == "off" else doctor


def _has(callbacks: Sequence[Any], *names: str) -> bool:
    return any(kind.__name__ in names for each in callbacks for kind in type(each).__mro__)
