"""The HTTP application: every door but gRPC's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from penstock.server.config import ServerConfig
from penstock.server.divided import DividedServables
from penstock.server.rest import inference_protocol, openapi
from penstock.server.rest.accounting import METRICS_PATHS, Accounting, metrics
from penstock.server.rest.admission import Admission, Places
from penstock.server.rest.direct import DirectDoor
from penstock.server.rest.draining import Draining
from penstock.server.rest.models import answer
from penstock.server.safety.access import is_loopback
from penstock.server.safety.requests import SafeRequests


def build_app(
    servables: DividedServables,
    config: ServerConfig,
    before_closing: Callable[[], Awaitable[None]] | None = None,
) -> tuple[Starlette, DirectDoor]:
    """Return the ASGI application of a server, and the door past it for requests of the usual form.

    Args:
        servables: What it serves; watched while the application lives.
        config: Its bounds.
        before_closing: Awaited before the models are unloaded.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        servables.watch()
        try:
            yield
        finally:
            if before_closing is not None:
                await before_closing()
            await servables.close()

    places = Places(config.max_concurrent)
    routes = [
        Route("/v1/models/{target:path}", answer, methods=["GET", "POST"]),
        *inference_protocol.routes(),
        *openapi.routes(),
        *(Route(path, metrics) for path in METRICS_PATHS),
    ]
    middleware = [
        Middleware(Draining),
        Middleware(Accounting, measures=servables.measures),
        Middleware(
            SafeRequests,
            access=config.access,
            limits=config.limits,
            pending=servables.pending,
            loopback=is_loopback(config.host),
        ),
        Middleware(Admission, places=places),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, middleware=middleware)
    app.router.redirect_slashes = False
    app.state.servables = servables
    app.state.config = config
    app.state.draining = False
    app.state.measures = servables.measures
    return app, DirectDoor(servables, config, places, app.state)
