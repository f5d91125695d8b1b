"""Arguments of a Trainer or Tuner about its data and its search: TFX's messages as dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.spelling import names_its_arguments


@dataclass(frozen=True)
class _SplitsArgs:
    splits: Sequence[str] = ()
    num_steps: int = 0

    def __post_init__(self) -> None:
        listed = isinstance(self.splits, list | tuple)
        if not listed or any(isinstance(each, int | float | None) for each in self.splits):
            raise TypeError(
                f"{type(self).__name__}.splits is a list of names. Received: {self.splits!r}"
            )
        object.__setattr__(self, "splits", tuple(self.splits))
        _check_whole_number(f"{type(self).__name__}.num_steps", self.num_steps)


@names_its_arguments
@dataclass(frozen=True)
class TrainArgs(_SplitsArgs):
    """The data for training.

    Args:
        splits: The splits; `train` when empty.
        num_steps: Training steps; 0 leaves it to the module.
    """


@names_its_arguments
@dataclass(frozen=True)
class EvalArgs(_SplitsArgs):
    """The data for validation during training.

    Args:
        splits: The splits; `eval` when empty.
        num_steps: Validation steps; 0 is the whole split.
    """


@names_its_arguments
@dataclass(frozen=True)
class TuneArgs:
    """How a search runs.

    Args:
        num_parallel_trials: Trials at a time; 0 and 1 run one after another.
    """

    num_parallel_trials: int = 0

    def __post_init__(self) -> None:
        _check_whole_number("num_parallel_trials", self.num_parallel_trials)


def _check_whole_number(name: str, value: object) -> None:
    # A runtime parameter, which has no value yet, is of a type of its own.
    if value is None or isinstance(value, bool | float | str | bytes | list | tuple | dict):
        raise TypeError(f"{name} must be a whole number. Received: {value!r}")
    if isinstance(value, int) and value < 0:
        raise ValueError(f"{name} must not be negative. Received: {value}")
