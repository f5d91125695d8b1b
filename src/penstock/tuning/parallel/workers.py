"""The processes that run trials, as their parent sees them."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any, Protocol

from penstock.io.processes.hosts import Process
from penstock.tuning.failed_trials import TooManyFailures
from penstock.tuning.parallel.conversation import Answer, Call, Done, Failure

LATER = object()
"""Answered by a host when there is nothing to do yet: the worker waits until something has changed."""

MOST_LOSSES = 2
"""How many processes a trial may cost, or may end before their first trial, until that is given up."""

_SECONDS_LATER = 2.0
"""An oracle of the user's may change its mind with time."""

_SECONDS_TO_END = 30.0

Start = Callable[[int], Process]
"""Starts the worker of a number, from 0."""


class Host(Protocol):
    """What the workers' calls are made to."""

    def answer(self, worker: int, call: Call) -> Any:
        """Return the result of a worker's call, or `LATER`; what it raises is raised in the worker."""

    def lost(self, worker: int, how: str) -> bool:
        """Take note that a worker's process has died; return whether it was running a trial."""

    def tell(self) -> None:
        """Show how far the search is."""


class TrialWorkers:
    """Processes that run trials until there are none left; one that dies is replaced.

    Args:
        start: Starts a worker.
        count: How many there are.
    """

    def __init__(self, start: Start, count: int) -> None:
        self._start = start
        self._running: dict[int, Process] = {}
        self._waiting: dict[int, Call] = {}
        self._fruitless = 0
        try:
            for number in range(count):
                self._running[number] = start(number)
        except BaseException:
            self.end()
            raise

    def serve(self, host: Host) -> None:
        """Answer the workers until all are done.

        Raises:
            TooManyFailures: If the host gives up.
            RuntimeError: If processes die again and again without having begun a trial.
            Exception: What a worker cannot go on after.
        """
        host.tell()
        while self._running:
            by_connection = {child.connection: number for number, child in self._running.items()}
            patience = _SECONDS_LATER if self._waiting else None
            ready = wait(list(by_connection), patience)
            for connection in ready:
                self._hear(by_connection[connection], host)  # type: ignore[index]
            if self._waiting:
                self._answer_waiting(host)
            host.tell()

    def _hear(self, number: int, host: Host) -> None:
        child = self._running[number]
        try:
            message = child.connection.recv()
        except (EOFError, OSError):
            self._replace(number, host)
            return
        if isinstance(message, Call):
            self._answer(number, message, host)
        elif isinstance(message, Failure):
            error = message.error
            error.add_note(f"In {child.name}:\n{message.traceback}")
            raise error
        elif isinstance(message, Done):
            self._running.pop(number).kill()

    def _answer(self, number: int, call: Call, host: Host) -> None:
        self._waiting.pop(number, None)
        try:
            answer = Answer(host.answer(number, call))
        except TooManyFailures:
            raise  # it is the search that ends
        except Exception as error:
            answer = Answer(error=error)
        if answer.value is LATER:
            self._waiting[number] = call
            return
        with contextlib.suppress(OSError):  # it is gone, as will be heard
            self._running[number].connection.send(answer)

    def _answer_waiting(self, host: Host) -> None:
        for number, call in list(self._waiting.items()):
            if number in self._running:
                self._answer(number, call, host)

    def _replace(self, number: int, host: Host) -> None:
        child = self._running.pop(number)
        self._waiting.pop(number, None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_SECONDS_TO_END)
        how = child.how_it_ended()
        child.kill()
        if not host.lost(number, how):
            self._fruitless += 1
            if self._fruitless > MOST_LOSSES:
                raise RuntimeError(
                    f"The process of {child.name} {how} before it had begun a trial, and so did "
                    f"{MOST_LOSSES} before it. The node's log has what they printed."
                )
        self._running[number] = self._start(number)

    def end(self) -> None:
        """End all processes at once."""
        while self._running:
            self._running.popitem()[1].kill()

    def __enter__(self) -> TrialWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
