"""Running a server until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from penstock.installation import install_command
from penstock.server.config import ServerConfig
from penstock.server.processes import bound_socket, serve_in_processes
from penstock.serving.model import import_tensorflow

LOG = logging.getLogger("penstock.server")
_REFRESH_SECONDS = 1.0


def _needs(error: ImportError) -> str:
    command = install_command("run", "serving")
    return f"The model server needs {error.name}, which is not installed: {command}"


try:
    import uvicorn

    from penstock.server.divided import DividedServables
    from penstock.server.http_server import HttpServer
    from penstock.server.rest.app import build_app
    from penstock.server.rest.direct_connection import direct_settings
except ImportError as error:
    raise ImportError(_needs(error)) from error

if TYPE_CHECKING:
    from penstock.server.grpc_api.door import GrpcDoor
    from penstock.server.measures import Measures


def serve(
    config: ServerConfig, on_listening: Callable[[str, str | None], None] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; then the requests in progress are answered and it returns.

    Args:
        config: What is served, and how.
        on_listening: Called with the addresses of the HTTP and the gRPC interface once it listens;
            models may still be loading.

    Raises:
        OSError: If it cannot listen there, or one of several processes cannot start.
    """
    if config.processes > 1:
        serve_in_processes(config, on_listening)
    else:
        serve_alone(config, on_listening)


def serve_alone(
    config: ServerConfig, on_listening: Callable[[str, str | None], None] | None = None
) -> None:
    """Serve in this process; see `serve`.

    As one of several it listens when it has looked for models once, so that none of them refuses what the
    others answer.
    """
    try:
        import_tensorflow()
    except ImportError as error:
        raise ImportError(_needs(error)) from error
    context = config.access.ssl_context()
    several = config.processes > 1
    with contextlib.closing(bound_socket(config.host, config.port, shared=several)) as listener:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            runner.run(_serve(config, listener, context, on_listening))


async def _serve(
    config: ServerConfig,
    listener: socket.socket,
    context: ssl.SSLContext | None,
    on_listening: Callable[[str, str | None], None] | None,
) -> None:
    servables = DividedServables.of(config)
    door = None if config.grpc_port is None else _grpc_door(servables, config)
    refreshing = None
    if config.processes > 1:
        await servables.update()
        refreshing = asyncio.get_running_loop().create_task(_refresh(servables.measures))
    listener.listen(2048)  # who is told that it listens may ask at once
    stopped = asyncio.Event()

    async def stop_grpc() -> None:
        await stopped.wait()
        if door is not None:
            await door.stop(config.drain_seconds)

    stopping = asyncio.get_running_loop().create_task(stop_grpc())

    async def before_closing() -> None:
        stopped.set()
        await stopping

    app, direct = build_app(servables, config, before_closing)
    settings = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="on",
        timeout_graceful_shutdown=int(config.drain_seconds),
        **direct_settings(config.limits, direct),
    )
    settings.load()
    settings.ssl = context
    server = HttpServer(settings)
    ending = False

    def stop(number: signal.Signals) -> None:
        nonlocal ending
        if ending:
            server.force_exit = True  # asked twice: at once
            end()
        else:
            LOG.info("%s: answering the requests in progress", number.name)
            loop.call_later(config.grace_seconds, end)
        ending = app.state.draining = True

    def end() -> None:
        stopped.set()
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop, each)
    grpc_port = None
    if door is not None:
        grpc_port = await door.start(config.host, config.grpc_port or 0)
    if on_listening is not None:
        scheme = "http" if context is None else "https"
        on_listening(
            _address(scheme, config.host, listener.getsockname()[1]),
            None if grpc_port is None else _address("grpc", config.host, grpc_port),
        )
    await server.serve(sockets=[listener])
    if refreshing is not None:
        refreshing.cancel()


async def _refresh(measures: Measures) -> None:
    """Tell the other processes what only this one sees, as often as it changes much."""
    while True:
        measures.refresh()
        await asyncio.sleep(_REFRESH_SECONDS)


def _grpc_door(servables: DividedServables, config: ServerConfig) -> GrpcDoor:
    try:
        from penstock.server.grpc_api.door import GrpcDoor
    except ImportError as error:
        raise ImportError(_needs(error)) from error
    return GrpcDoor(servables, config)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # it is not for every system
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _address(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
