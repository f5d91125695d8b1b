"""Where agents and their processes call: the end of all lines in the node's own pod."""

from __future__ import annotations

import contextlib
import itertools
import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from penstock.pods.lines import Line, listen
from penstock.pods.messages import Arrived, Dialed, Ended, FindAddress, Found, Leave, Printed

_ADDRESS_SECONDS = 30.0
_FAREWELL_SECONDS = 5.0


class Listening(Protocol):
    """A process as the reception knows it."""

    def dialed(self, line: Line) -> None:
        """Take the process's own line."""

    def ended(self, status: int | None) -> None:
        """Take note that it ended; the status is None if its agent is gone."""


class AgentLine:
    """The line to one agent.

    Args:
        line: The line.
        arrived: What the agent said of itself.

    Attributes:
        pod: Name of its pod.
        place: Its place.
        is_up: Whether the agent is there.
    """

    def __init__(self, line: Line, arrived: Arrived) -> None:
        self.pod, self.place, self.host = arrived.pod, arrived.place, arrived.host
        self.is_up = True
        self._line = line
        self._sending = threading.Lock()
        self._found: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._processes: dict[int, Listening] = {}

    def send(self, message: object) -> None:
        """Say something to the agent; nothing happens if it is gone, as will be heard."""
        with self._sending, contextlib.suppress(OSError):
            self._line.connection.send(message)

    def find_address(self) -> str:
        """Return an address at which a process can listen there.

        Raises:
            ConnectionError: If the agent is gone or silent.
        """
        self.send(FindAddress())
        with contextlib.suppress(queue.Empty):
            if address := self._found.get(timeout=_ADDRESS_SECONDS):
                return address
        raise ConnectionError(f"The agent in the pod {self.pod} does not answer")

    def add(self, number: int, process: Listening) -> None:
        """Tell a process of this agent's how it ends."""
        self._processes[number] = process
        if not self.is_up:
            process.ended(None)

    def read(self, print_line: Callable[[str], None]) -> None:
        """Read until the agent hangs up."""
        try:
            while True:
                message: Any = self._line.connection.recv()
                if isinstance(message, Printed):
                    print_line(message.text)
                elif isinstance(message, Found):
                    self._found.put(message.address)
                elif isinstance(message, Ended):
                    process = self._processes.pop(message.number, None)
                    if process is not None:
                        process.ended(message.status)
        except (OSError, EOFError):
            pass
        finally:
            self.is_up = False
            self._found.put(None)
            self._line.close()
            for process in list(self._processes.values()):
                process.ended(None)

    def hang_up(self) -> None:
        """Cut the line; its reader ends."""
        self._line.cut()


class Reception:
    """Takes the calls of agents and of their processes; use it as a context manager.

    Args:
        host: Address of this pod at which it listens.
        print_line: Is given each line that a process prints.

    Attributes:
        key: What callers must know.
        address: `host:port`.
    """

    def __init__(self, host: str, print_line: Callable[[str], None]) -> None:
        self.key = secrets.token_bytes(32)
        self._print_line = print_line
        self._listener = listen(host)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{shown}:{self._listener.getsockname()[1]}"
        self._changed = threading.Condition()
        self._agents: dict[int, AgentLine] = {}
        self._awaited: dict[int, Listening] = {}
        self._numbers = itertools.count()
        self._readers: list[threading.Thread] = []
        self._closed = False
        threading.Thread(target=self._accept, daemon=True, name="penstock-reception").start()

    def agent(self, place: int) -> AgentLine | None:
        """Return the line to the agent at a place, or None if there is none."""
        with self._changed:
            return self._there(place)

    def wait_for(self, places: int, seconds: float) -> bool:
        """Wait until there are agents at all places from 0 on; return whether there are."""
        with self._changed:
            return self._changed.wait_for(
                lambda: all(self._there(each) for each in range(places)), seconds
            )

    def expect(self, process: Listening) -> int:
        """Return the number with which a process that is to be started calls."""
        with self._changed:
            number = next(self._numbers)
            self._awaited[number] = process
        return number

    def forget(self, number: int) -> None:
        """Take no call of a process any more."""
        with self._changed:
            self._awaited.pop(number, None)

    def dismiss(self) -> None:
        """Let all agents leave, and print what they still have to say."""
        with self._changed:
            agents = [each for each in self._agents.values() if each.is_up]
        for agent in agents:
            agent.send(Leave())
        deadline = time.monotonic() + _FAREWELL_SECONDS
        for reader in self._readers:
            reader.join(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> Reception:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            agents = list(self._agents.values())
        for each in agents:
            each.hang_up()

    def _there(self, place: int) -> AgentLine | None:
        agent = self._agents.get(place)
        return agent if agent is not None and agent.is_up else None

    def _accept(self) -> None:
        while not self._closed:
            try:
                end, _ = self._listener.accept()
            except OSError:
                return
            # Whoever calls and says nothing keeps nobody else waiting.
            reader = threading.Thread(target=self._receive, args=(end,), daemon=True)
            self._readers.append(reader)
            reader.start()

    def _receive(self, end: socket.socket) -> None:
        try:
            line = Line(end, self.key, first=True)
            hello: Any = line.connection.recv()
        except Exception:  # a stranger, or one that has hung up
            end.close()
            return
        if isinstance(hello, Dialed):
            with self._changed:
                process = self._awaited.pop(hello.number, None)
            if process is None:
                line.close()
            else:
                process.dialed(line)
        elif isinstance(hello, Arrived):
            self._read(AgentLine(line, hello))

    def _read(self, agent: AgentLine) -> None:
        with self._changed:
            before = self._agents.get(agent.place)
            self._agents[agent.place] = agent
            self._changed.notify_all()
        if before is not None:
            before.hang_up()  # its pod is another one, or its line was cut without a word
        agent.read(self._print_line)
        with self._changed:
            self._changed.notify_all()
