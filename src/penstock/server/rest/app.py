"""The HTTP application: every door but gRPC's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from penstock.server.config import ServerConfig
from penstock.server.rest.admission import Admission
from penstock.server.rest.models import answer, json_response
from penstock.server.servables.servables import Servables


def build_app(
    servables: Servables, config: ServerConfig, middleware: Sequence[Middleware] = ()
) -> Starlette:
    """Return the ASGI application of a server.

    Args:
        servables: What it serves; watched while the application lives.
        config: Its bounds.
        middleware: What comes before every request, the outermost first.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        servables.watch()
        try:
            yield
        finally:
            await servables.close()

    routes = [
        Route("/v1/models/{target:path}", answer, methods=["GET", "POST"]),
        Route("/v2/health/live", _live),
        Route("/v2/health/ready", _ready),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[*middleware, Middleware(Admission, limit=config.max_concurrent)],
    )
    app.state.servables = servables
    app.state.config = config
    return app


async def _live(request: Request) -> Response:
    return json_response({"live": True})


async def _ready(request: Request) -> Response:
    servables: Servables = request.app.state.servables
    return json_response({"ready": servables.ready}, 200 if servables.ready else 503)
