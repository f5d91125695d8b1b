"""Running a server until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable

from penstock.installation import install_command
from penstock.server.config import ServerConfig

LOG = logging.getLogger("penstock.server")

try:
    import uvicorn

    from penstock.server.rest.app import build_app
    from penstock.server.servables.servables import Servables
except ImportError as error:
    raise ImportError(
        f"The model server needs {error.name}, which is not installed: {install_command('run', 'serving')}"
    ) from error


def serve(config: ServerConfig, on_listening: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; then the requests in progress are answered and it returns.

    Args:
        config: What is served, and how.
        on_listening: Called with the address once it listens; models may still be loading.

    Raises:
        OSError: If it cannot listen there.
    """
    with contextlib.closing(_listen(config.host, config.port)) as listener:
        host, port = listener.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        asyncio.run(_serve(config, listener, lambda: on_listening and on_listening(address)))


async def _serve(
    config: ServerConfig, listener: socket.socket, listening: Callable[[], object]
) -> None:
    servables = Servables(config.models, config.batching, config.watch_seconds)
    settings = uvicorn.Config(
        build_app(servables, config),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=int(config.drain_seconds),
    )
    server = _Server(settings)
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, server.stop, each)
    listening()
    await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn's server, whose signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Leave the signals alone."""
        yield

    def stop(self, number: signal.Signals) -> None:
        """Take no new connection, and answer what is in progress; at once if asked twice."""
        LOG.info("%s: answering the requests in progress", number.name)
        self.force_exit = self.should_exit
        self.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"The server cannot listen at {host}, port {port}: {error.strerror}"
        ) from error
    return listener
