"""A process in another pod, as whoever started it sees it: like a child of its own."""

from __future__ import annotations

import contextlib
import pickle
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from penstock.io.processes.child_process import describe_status
from penstock.pods.lines import Line
from penstock.pods.messages import Kill, Start
from penstock.pods.reception import AgentLine, Reception

LOST = 255
"""Exit status of a process whose pod is gone."""

_DIAL_SECONDS = 180.0
_KILL_SECONDS = 15.0
_PAUSE = 0.2


class PodProcess:
    """A process at a place; it is started as soon as there is an agent.

    Args:
        reception: Where it calls.
        place: The number of its place.
        payload: A function and its argument, as `ChildProcess` takes them, and what is called before it.
        name: Stands before each of its lines.
        environment: Variables that it has besides the pod's.
        defaults: Variables that it has where the pod has none of the name.
        agent_seconds: How long it waits for an agent.
        why_gone: Says of a pod, by its name, how it ended.
    """

    def __init__(
        self,
        reception: Reception,
        place: int,
        payload: tuple[Callable[[Any, Any], None], object, Callable[[], None] | None],
        *,
        name: str,
        environment: Mapping[str, str],
        defaults: Mapping[str, str],
        agent_seconds: float,
        why_gone: Callable[[str], str],
    ) -> None:
        self.name = name
        self._reception, self._place = reception, place
        self._why_gone = why_gone
        self._agent: AgentLine | None = None
        self._line: Line | None = None
        self._status: int | None = None
        self._reason = ""
        self._turn = threading.Lock()
        self._has_dialed, self._has_ended = threading.Event(), threading.Event()
        mine, self._theirs = socket.socketpair()
        self.connection: Connection[Any, Any] = Connection(mine.detach())
        self._number = reception.expect(self)
        start = Start(self._number, name, dict(environment), dict(defaults), pickle.dumps(payload))
        threading.Thread(target=self._begin, args=(start, agent_seconds), daemon=True).start()

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""
        return self._status

    def wait(self, seconds: float | None = None) -> int:
        """Wait until it has ended; return its exit status.

        Raises:
            subprocess.TimeoutExpired: If it takes longer.
        """
        if not self._has_ended.wait(seconds):
            raise subprocess.TimeoutExpired(self.name, seconds or 0.0)
        assert self._status is not None
        return self._status

    def kill(self) -> None:
        """End it at once, with all that it started. Nothing happens if it has ended."""
        if self._agent is not None and self._status is None:
            self._agent.send(Kill(self._number))
            self._has_ended.wait(_KILL_SECONDS)
        self.ended(None)
        self.connection.close()

    def how_it_ended(self) -> str:
        """Return in words how it ended; of a pod that is gone, what the cluster says of it."""
        if self._status is None:
            return "hung up"
        if self._status != LOST:
            return describe_status(self._status)
        if self._agent is None:
            return self._reason or f"did not start: no pod came to place {self._place}"
        return f"was lost with its pod {self._agent.pod}: {self._why_gone(self._agent.pod)}"

    def dialed(self, line: Line) -> None:
        """Take the line of the process itself, and pass on what is said on it."""
        with self._turn:
            if self._status is not None:
                line.close()
                return
            self._line = line
            self._has_dialed.set()
        sender = threading.Thread(target=self._send_on, args=(line,), daemon=True)
        sender.start()
        _copy(line.socket, self._theirs)
        # Until the status is known: whoever hears the end asks for it.
        self._has_ended.wait(_KILL_SECONDS)
        line.cut()
        with contextlib.suppress(OSError):
            self._theirs.shutdown(socket.SHUT_RDWR)
        sender.join()
        line.close()
        self._theirs.close()

    def ended(self, status: int | None) -> None:
        """Take note that it ended; None if its agent or its pod is gone."""
        with self._turn:
            if self._status is not None:
                return
            self._status = LOST if status is None else status
            self._reception.forget(self._number)
            if self._line is None:
                self._theirs.close()
            elif status is None:
                self._line.cut()
            self._has_ended.set()

    def _begin(self, start: Start, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (agent := self._reception.agent(self._place)) is None:
            if self._has_ended.wait(_PAUSE):
                return
            if time.monotonic() >= deadline:
                self._reason = f"did not start: no pod came within {seconds:g} s"
                self.ended(None)
                return
        self._agent = agent
        agent.add(self._number, self)
        if self._status is not None:
            return
        agent.send(start)
        if not self._has_dialed.wait(_DIAL_SECONDS) and self._status is None:
            agent.send(Kill(self._number))

    def _send_on(self, line: Line) -> None:
        _copy(self._theirs, line.socket)
        with contextlib.suppress(OSError):
            line.socket.shutdown(socket.SHUT_WR)


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until one end hangs up."""
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
