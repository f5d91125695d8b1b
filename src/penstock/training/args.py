"""Arguments of a Trainer or Tuner about its data and its search: TFX's messages as dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.spelling import names_its_arguments


@dataclass(frozen=True)
class _SplitsArgs:
    splits: Sequence[str] = ()
    num_steps: int = 0
    batch_size: int = 0

    def __post_init__(self) -> None:
        listed = isinstance(self.splits, list | tuple)
        if not listed or any(isinstance(each, int | float | None) for each in self.splits):
            raise TypeError(
                f"{type(self).__name__}.splits is a list of names. Received: {self.splits!r}"
            )
        object.__setattr__(self, "splits", tuple(self.splits))
        if repeated := {each for each in self.splits if self.splits.count(each) > 1}:
            raise ValueError(
                f"{type(self).__name__}.splits names {min(map(str, repeated))!r} twice. "
                f"Received: {list(self.splits)}"
            )
        for name in ("num_steps", "batch_size"):
            number = _whole_number(f"{type(self).__name__}.{name}", getattr(self, name))
            object.__setattr__(self, name, number)


@names_its_arguments
@dataclass(frozen=True)
class TrainArgs(_SplitsArgs):
    """The data for training.

    Args:
        splits: The splits; `train` when empty.
        num_steps: Training steps; 0 leaves it to the module.
        batch_size: Rows of a step on all replicas together, `fn_args.global_batch_size`; 0 leaves it
            to the module.
    """


@names_its_arguments
@dataclass(frozen=True)
class EvalArgs(_SplitsArgs):
    """The data for validation during training.

    Args:
        splits: The splits; `eval` when empty.
        num_steps: Validation steps; 0 is the whole split.
        batch_size: Rows of a step of validation, `fn_args.eval_batch_size`; 0 takes that of training.
    """


@names_its_arguments
@dataclass(frozen=True)
class TuneArgs:
    """How a search runs.

    Args:
        num_parallel_trials: Trials at a time, each in a process of its own; 0 and 1 run one after
            another in the process of the node.
    """

    num_parallel_trials: int = 0

    def __post_init__(self) -> None:
        trials = _whole_number("num_parallel_trials", self.num_parallel_trials)
        object.__setattr__(self, "num_parallel_trials", trials)


def _whole_number(name: str, value: Any) -> Any:
    """Return a whole number as an int, also one of NumPy's; a runtime parameter stays as it is."""
    if value is None or isinstance(value, bool | float | str | bytes | list | tuple | dict):
        raise TypeError(f"{name} must be a whole number. Received: {value!r}")
    if hasattr(type(value), "__index__"):
        value = int(value)
        if value < 0:
            raise ValueError(f"{name} must not be negative. Received: {value}")
    return value
