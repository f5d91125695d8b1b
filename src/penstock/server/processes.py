"""A server in several processes that share its ports: one reads only so many requests a second.

The system divides new connections between the processes (`SO_REUSEPORT`). Each loads the models itself, and
listens once it has; a process that ends is replaced. Measures are those of all of them.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from typing import Any

from penstock.io.processes.child_process import ChildProcess
from penstock.server.config import ServerConfig

LOG = logging.getLogger("penstock.server")

MEASURES_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that tells prometheus_client where processes count together."""

_RESTART_SECONDS = 1.0

Told = Callable[[str, str | None], None]


def serve_in_processes(config: ServerConfig, on_listening: Told | None = None) -> None:
    """Serve in `config.processes` processes until SIGTERM or SIGINT; see `penstock.server.serve`.

    Args:
        config: What is served, and how; its bounds are for all processes together.
        on_listening: Called with the addresses once all listen; the models are loaded then.

    Raises:
        OSError: If it cannot listen there, or a process cannot start.
    """
    with contextlib.ExitStack() as held:
        ports = held.enter_context(reserved_ports(config))
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix="penstock-measures-"))
        port, grpc_port = ports
        share = share_of(replace(config, port=port, grpc_port=grpc_port))
        _Processes(share, folder, held).run(on_listening)


def share_of(config: ServerConfig) -> ServerConfig:
    """Return the config of one process: what is for all of them is divided.

    Example:
        >>> share_of(ServerConfig(models, processes=4)).max_concurrent
        64
    """

    def share(count: int) -> int:
        return math.ceil(count / config.processes)

    limits = config.limits
    return replace(
        config,
        max_concurrent=share(config.max_concurrent),
        batching=replace(config.batching, threads=share(config.batching.threads)),
        limits=replace(
            limits,
            connections=share(limits.connections),
            pending_bytes=max(limits.body_bytes, share(limits.pending_bytes)),
        ),
    )


@contextlib.contextmanager
def reserved_ports(config: ServerConfig) -> Iterator[tuple[int, int | None]]:
    """Hold the ports of HTTP and perhaps gRPC for processes that come and go; yields them.

    Raises:
        OSError: If one of them is taken.
    """
    with contextlib.ExitStack() as held:

        def reserved(port: int) -> int:
            with bound_socket(config.host, port) as alone:  # nobody else has it
                port = alone.getsockname()[1]
            held.enter_context(bound_socket(config.host, port, shared=True))
            return port

        grpc_port = config.grpc_port
        yield reserved(config.port), None if grpc_port is None else reserved(grpc_port)


def bound_socket(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that is bound to an address and does not listen yet.

    Args:
        host: The address.
        port: The port; 0 for a free one.
        shared: Whether other processes of this user may listen there too.

    Raises:
        OSError: If it is taken; the message names it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only for sockets that say that they are TCP's.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise OSError(
            f"The server cannot listen at {host}, port {port}: {error.strerror}"
        ) from error
    return bound


@dataclass
class _Process:
    """A process, and whether it listens."""

    child: ChildProcess
    listens: bool = False


class _Processes:
    """The processes of a server: started, replaced when they end, and told to stop."""

    def __init__(self, config: ServerConfig, folder: str, held: contextlib.ExitStack) -> None:
        self._config = config
        self._folder = folder
        self._held = held
        self._processes: dict[int, _Process] = {}
        self._stopping = False
        self._started = False

    def run(self, on_listening: Told | None) -> None:
        """Serve until told to stop."""
        woken, waking = socket.socketpair()
        self._held.callback(woken.close)
        self._held.callback(waking.close)
        waking.setblocking(False)
        for each in (signal.SIGTERM, signal.SIGINT):
            before = signal.signal(each, lambda number, _: self._stop(number, waking))
            self._held.callback(signal.signal, each, before)
        for number in range(self._config.processes):
            self._start(number)
        while self._processes:
            connections = {each.child.connection: n for n, each in self._processes.items()}
            for ready in wait([*connections, woken]):
                if ready is woken:
                    woken.recv(64)
                else:
                    self._hear(connections[ready], on_listening)  # type: ignore[index]

    def _start(self, number: int) -> None:
        level = logging.getLogger().getEffectiveLevel()
        child = ChildProcess(
            serve_share,
            (self._config, level),
            name=f"server {number + 1}",
            environment={MEASURES_FOLDER: self._folder},
        )
        self._held.callback(child.kill)
        self._processes[number] = _Process(child)

    def _stop(self, number: int, waking: socket.socket) -> None:
        """Tell all to stop: called by a signal."""
        if not self._stopping:
            LOG.info("%s: answering the requests in progress", signal.Signals(number).name)
        self._stopping = True
        for each in self._processes.values():
            # One that does not listen yet ends at once.
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.child.pid, signal.SIGTERM)
        with contextlib.suppress(BlockingIOError):
            waking.send(b"\0")

    def _hear(self, number: int, on_listening: Told | None) -> None:
        process = self._processes[number]
        try:
            word, *said = process.child.connection.recv()
        except (EOFError, OSError):
            self._ended(number)
            return
        if word == "failed":
            raise OSError(said[0])
        process.listens = True
        if not self._started and all(each.listens for each in self._processes.values()):
            self._started = True
            if on_listening is not None:
                on_listening(*said)

    def _ended(self, number: int) -> None:
        """Replace a process that ended, unless it was told to."""
        from prometheus_client.multiprocess import mark_process_dead

        process = self._processes.pop(number)
        process.child.wait()
        mark_process_dead(process.child.pid, self._folder)  # type: ignore[no-untyped-call]
        how = process.child.how_it_ended()
        process.child.kill()
        if self._stopping:
            return
        if not self._started:
            raise OSError(f"A process of the server {how} before it listened; its log says why.")
        LOG.error("The process %d of the server %s; another takes its place", number + 1, how)
        time.sleep(_RESTART_SECONDS)
        if not self._stopping:
            self._start(number)


def serve_share(connection: Any, argument: tuple[ServerConfig, int]) -> None:
    """Serve as one of several processes; what a `ChildProcess` runs."""
    config, level = argument
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    from penstock.server.running import serve_alone

    def told(address: str, grpc_address: str | None) -> None:
        connection.send(("listening", address, grpc_address))

    try:
        serve_alone(config, told)
    except (OSError, ValueError, ImportError) as error:
        connection.send(("failed", str(error)))
