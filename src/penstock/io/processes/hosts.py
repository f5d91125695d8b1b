"""Where processes of one node run: on this machine, or each on a machine of its own."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

from penstock.io.processes.child_process import ChildProcess

LOOPBACK = "127.0.0.1"


class Process(Protocol):
    """A process that runs one function of ours and talks with us; `ChildProcess` is one."""

    name: str

    @property
    def connection(self) -> Connection[Any, Any]:
        """Our end of the conversation; `recv` raises `EOFError` or `OSError` when the process is gone."""

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""

    def wait(self, seconds: float | None = None) -> int:
        """Wait until it has ended; return its exit status.

        Raises:
            subprocess.TimeoutExpired: If it takes longer.
        """

    def kill(self) -> None:
        """End it at once, with all that it started."""

    def how_it_ended(self) -> str:
        """Return in words how it ended: "was killed by SIGKILL (out of memory?)"."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a process asks of where it runs.

    Attributes:
        name: As it is called in logs.
        computes: Whether it uses accelerators.
    """

    name: str
    computes: bool = True


class Places(Protocol):
    """Places that are held for processes, numbered from 0."""

    each_has_a_machine: bool
    """Whether a process has the cores and the accelerators of its place for itself."""

    def addresses(self) -> list[str]:
        """Wait until a process can be started at every place; return `host:port` of each.

        Nobody listens at the addresses now, and a process at the place can. Another program may take
        one before it is used.

        Raises:
            RuntimeError: If they are not all there in time; it says what is missing.
        """

    def is_as_told(self, number: int) -> bool:
        """Return whether a place still is where `addresses` said, so that a process can be replaced."""

    def start(
        self,
        number: int,
        function: Callable[[Any, Any], None],
        argument: object,
        environment: Mapping[str, str],
    ) -> Process:
        """Start a process at a place, which runs `function(connection, argument)`."""


class Hosts(Protocol):
    """Where the processes of a node run."""

    def hold(self, places: Sequence[Place]) -> AbstractContextManager[Places]:
        """Hold places for processes until the context ends; all processes have ended then."""


class ThisMachine:
    """All processes run on this machine, as children of this one."""

    @contextlib.contextmanager
    def hold(self, places: Sequence[Place]) -> Iterator[Places]:
        """Return places on this machine; whoever starts processes here ends them."""
        yield _PlacesHere(places)


class _PlacesHere:
    each_has_a_machine = False

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places

    def addresses(self) -> list[str]:
        return free_addresses(len(self._places))

    def is_as_told(self, number: int) -> bool:
        return True

    def start(
        self,
        number: int,
        function: Callable[[Any, Any], None],
        argument: object,
        environment: Mapping[str, str],
    ) -> Process:
        return ChildProcess(
            function, argument, name=self._places[number].name, environment=environment
        )


def free_addresses(count: int, host: str = LOOPBACK) -> list[str]:
    """Return addresses of this machine at which nobody listens, all different.

    Another program may take one of them before it is used: whoever finds its address in use says so, and
    the group starts again with others.

    Args:
        count: How many.
        host: Name or address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket(family)) for _ in range(count)]
        for each in sockets:
            each.bind((host, 0))
        shown = f"[{host}]" if ":" in host else host
        return [f"{shown}:{each.getsockname()[1]}" for each in sockets]
