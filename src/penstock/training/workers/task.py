"""What a process of a group is given, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from penstock.artifacts.staged import NOTHING_STAGED, StagedPlaces
from penstock.training.fn_args import FnArgs
from penstock.training.workers.members import Member

JOIN_SECONDS = 300.0
"""How long a process waits for the others, once it has made its imports."""


class Source(Protocol):
    """Where user code comes from; travels to another process before any of that code is imported."""

    def load(self) -> Any:
        """Return the module that defines `run_fn`, or the function itself."""

    def custom_config(self) -> dict[str, Any]:
        """Return the pipeline's `custom_config`."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a process has to do.

    Attributes:
        member: Which one it is.
        fn_args: For `run_fn`, without what cannot travel: `data_accessor` and `custom_config`.
        source: The user's code.
        log: Name of the logger of the node.
        seed: For everything random, where the run has no seed: all processes start alike.
        join_seconds: How long it waits for the others.
        staged: Places that it must fill itself, since no other process of its machine has.
    """

    member: Member
    fn_args: FnArgs
    source: Source
    log: str = "penstock.node"
    seed: int | None = None
    join_seconds: float = JOIN_SECONDS
    staged: StagedPlaces = NOTHING_STAGED


@dataclass(frozen=True, slots=True)
class Joined:
    """The process has found the others, or serves them.

    Attributes:
        pid: Its process id.
    """

    pid: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the training is.

    Attributes:
        text: As in `penstock.progress.tell`.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Epoch:
    """Metrics of an epoch.

    Attributes:
        epoch: Its number, from 1.
        metrics: Numbers by name.
    """

    epoch: int
    metrics: dict[str, float]
