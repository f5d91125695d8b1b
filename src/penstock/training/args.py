"""What a Trainer or Tuner is told about its data and its search: TFX's messages as dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.spelling import names_its_arguments


@dataclass(frozen=True)
class _SplitsArgs:
    splits: Sequence[str] = ()
    num_steps: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.splits, str):
            raise TypeError(
                f"{type(self).__name__}.splits is a list of names. Received: {self.splits!r}"
            )
        object.__setattr__(self, "splits", tuple(self.splits))
        # A runtime parameter, which has no value yet, is no int.
        if isinstance(self.num_steps, int) and self.num_steps < 0:
            raise ValueError(
                f"{type(self).__name__}.num_steps must not be negative. Received: {self.num_steps}"
            )


@names_its_arguments
@dataclass(frozen=True)
class TrainArgs(_SplitsArgs):
    """What training sees.

    Args:
        splits: The splits; `train` when empty.
        num_steps: Training steps; 0 leaves it to the module.
    """


@names_its_arguments
@dataclass(frozen=True)
class EvalArgs(_SplitsArgs):
    """What validation during training sees.

    Args:
        splits: The splits; `eval` when empty.
        num_steps: Validation steps; 0 is the whole split.
    """


@names_its_arguments
@dataclass(frozen=True)
class TuneArgs:
    """How a search runs.

    Args:
        num_parallel_trials: Trials at a time; 0 and 1 are one after another.
    """

    num_parallel_trials: int = 0

    def __post_init__(self) -> None:
        if self.num_parallel_trials < 0:
            raise ValueError(
                f"num_parallel_trials must not be negative. Received: {self.num_parallel_trials}"
            )
