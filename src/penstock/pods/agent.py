"""What runs in a pod of a node: it starts processes for the node's own pod, and tells how they end."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing import AuthenticationError
from typing import Any, NamedTuple, NoReturn

from penstock.io.processes.child_process import ChildProcess, print_line
from penstock.io.processes.hosts import free_addresses
from penstock.pods.lines import Line, call
from penstock.pods.messages import (
    ABANDONED,
    ADDRESS,
    FIRST_PLACE,
    KEY,
    Arrived,
    Dialed,
    Ended,
    FindAddress,
    Found,
    Kill,
    Leave,
    Printed,
    Start,
)

PATIENCE = 120.0
"""For how many seconds an agent calls a node's pod that does not answer."""

_PAUSE = 1.0
_STOPPED = 143


class _Stopped(BaseException):
    """The pod is being stopped."""


class _Errand(NamedTuple):
    address: str
    key: bytes
    number: int
    payload: bytes


class Agent:
    """The agent of one pod.

    Args:
        address: `host:port` of the node's pod.
        key: What both know.
        place: The place of this pod among all.
        pod: The name of this pod.
        patience: For how many seconds it calls before it gives up.
    """

    def __init__(
        self, address: str, key: bytes, place: int, pod: str, patience: float = PATIENCE
    ) -> None:
        self._address, self._key = address, key
        self._place, self._pod = place, pod
        self._patience = patience
        self._process: ChildProcess | None = None
        self._number = -1
        self._sending = threading.Lock()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Agent:
        """Return the agent of a pod with these variables.

        Raises:
            KeyError: If one is missing.
        """
        index = int(environment.get("JOB_COMPLETION_INDEX", "0"))
        return cls(
            environment[ADDRESS],
            bytes.fromhex(environment[KEY]),
            int(environment.get(FIRST_PLACE, "0")) + index,
            environment.get("PENSTOCK_POD_NAME") or environment.get("HOSTNAME", ""),
        )

    def run(self) -> int:
        """Do what the node's pod says until it says `Leave`; return the exit status.

        A line that is cut is called again. What ran is ended then: to the node it is lost.
        """
        try:
            while True:
                try:
                    line = self._call()
                except (OSError, EOFError, AuthenticationError) as error:
                    print_line(
                        f"The node's pod at {self._address} does not answer ({error}): the agent ends"
                    )
                    return ABANDONED
                with contextlib.closing(line):
                    with contextlib.suppress(OSError, EOFError):
                        self._serve(line)
                        return 0
                    self._end()
        finally:
            self._end()

    def _call(self) -> Line:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return call(self._address, self._key, 10.0)
            except (OSError, EOFError):
                if time.monotonic() >= deadline:
                    raise
            time.sleep(_PAUSE)

    def _serve(self, line: Line) -> None:
        self._send(line, Arrived(self._place, self._pod, line.host))
        while True:
            message: Any = line.connection.recv()
            if isinstance(message, FindAddress):
                self._send(line, Found(free_addresses(1, line.host)[0]))
            elif isinstance(message, Start):
                self._start(line, message)
            elif isinstance(message, Kill) and message.number == self._number:
                self._end()
            elif isinstance(message, Leave):
                self._end()
                with contextlib.suppress(ValueError):  # in a thread, which no signal reaches
                    # All is done: that the pod is removed now does not matter.
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                return

    def _start(self, line: Line, told: Start) -> None:
        self._end()
        absent = {name: each for name, each in told.defaults.items() if name not in os.environ}
        process = ChildProcess(
            dial,
            _Errand(self._address, self._key, told.number, told.payload),
            name=told.name,
            environment={**absent, **told.environment},
            print_line=lambda text: self._pass_on(line, text),
        )
        self._process, self._number = process, told.number

        def tell_end() -> None:
            status = process.wait()
            with contextlib.suppress(OSError):
                self._send(line, Ended(told.number, status))

        threading.Thread(target=tell_end, daemon=True).start()

    def _pass_on(self, line: Line, text: str) -> None:
        print_line(text)
        with contextlib.suppress(OSError):
            self._send(line, Printed(text))

    def _send(self, line: Line, message: object) -> None:
        with self._sending:
            line.connection.send(message)

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None


def dial(connection: Any, errand: _Errand) -> None:
    """Call the node's pod from a process that an agent has started, and run the function there named.

    Args:
        connection: To the agent; nothing is said on it.
        errand: What to call, and what to run.
    """
    line = call(errand.address, errand.key, 60.0)
    line.connection.send(Dialed(errand.number))
    function, argument, first = pickle.loads(errand.payload)
    if first is not None:
        first()
    function(line.connection, argument)


def main() -> int:
    """Run the agent of this pod, as its variables say; return the exit status."""

    def stop(*_: object) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Stopped

    signal.signal(signal.SIGTERM, stop)
    try:
        agent = Agent.of(os.environ)
    except (KeyError, ValueError) as error:
        print(
            f"python -m penstock.pods is what the pods of a replicated node run, and lacks {error}.",
            file=sys.stderr,
        )
        return 2
    try:
        return agent.run()
    except _Stopped:
        print_line("The pod is stopped from outside")
        return _STOPPED
