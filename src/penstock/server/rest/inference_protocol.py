"""The open inference protocol, version 2, which KServe's and Triton's clients speak.

The signature is `serving_default`, or what the parameter `signature_name` of a request says. A version in
a path may also be a label. Tensors may be binary, behind the JSON, by the extension `binary_tensor_data`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import penstock
from penstock.server.errors import ServingError
from penstock.server.rest.inference_tensors import (
    Written,
    datatype,
    read_request,
    write_response,
)
from penstock.server.rest.models import LARGE, error_response, json_response
from penstock.server.servables.servables import Servables
from penstock.server.servables.served_model import Use
from penstock.server.servables.signature import TensorInfo
from penstock.server.servables.status import State

LENGTH = "inference-header-content-length"
_EXTENSIONS = ["binary_tensor_data", "model_repository"]

Door = Callable[[Request], Awaitable[Response]]


def routes() -> list[Route]:
    """Return the paths of the protocol."""
    model = "/v2/models/{name}"
    found = [
        Route("/v2", _catching(_server)),
        Route("/v2/", _catching(_server)),
        Route("/v2/health/live", _catching(_live)),
        Route("/v2/health/ready", _catching(_ready)),
        Route("/v2/repository/index", _catching(_index), methods=["GET", "POST"]),
    ]
    for path in (model, model + "/versions/{version}"):
        found += [
            Route(path, _catching(_model)),
            Route(path + "/ready", _catching(_model_ready)),
            Route(path + "/infer", _catching(_infer), methods=["POST"]),
        ]
    return found


def _catching(door: Door) -> Door:
    async def answer(request: Request) -> Response:
        try:
            return await door(request)
        except ServingError as error:
            return error_response(error)

    return answer


def _servables(request: Request) -> Servables:
    servables: Servables = request.app.state.servables
    return servables


def _use(request: Request) -> Use:
    name, version = request.path_params["name"], request.path_params.get("version")
    return use_of(_servables(request), name, version)


def use_of(servables: Servables, name: str, version: str | None) -> Use:
    """Return a version of a model for a `with` block, by its number or label in a path."""
    if version is None:
        return servables.get(name)
    if version.isascii() and version.isdecimal() and len(version) < 20:
        return servables.get(name, int(version))
    return servables.get(name, label=version)


async def _server(request: Request) -> Response:
    return json_response(
        {"name": "penstock", "version": penstock.__version__, "extensions": _EXTENSIONS}
    )


async def _live(request: Request) -> Response:
    return json_response({"live": True})


async def _ready(request: Request) -> Response:
    ready = _servables(request).ready and not request.app.state.draining
    return json_response({"ready": ready}, 200 if ready else 503)


async def _model_ready(request: Request) -> Response:
    try:
        with _use(request) as servable:
            return json_response({"name": servable.name, "ready": True})
    except ServingError as error:
        return json_response(
            {"name": request.path_params["name"], "ready": False, "error": str(error)},
            error.http_status,
        )


async def _model(request: Request) -> Response:
    with _use(request) as servable:
        signature = servable.signature()
        return json_response(
            {
                "name": servable.name,
                "versions": [
                    str(each) for each in _servables(request).model(servable.name).available
                ],
                "platform": "tensorflow_savedmodel" if servable.model.signature_defs else "sklearn",
                "inputs": [_described(*each) for each in signature.inputs.items()],
                "outputs": [_described(*each) for each in signature.outputs.items()],
            }
        )


def _described(name: str, tensor: TensorInfo) -> dict[str, Any]:
    shape = [-1] if tensor.shape is None else list(tensor.shape)
    return {"name": name, "datatype": datatype(tensor.dtype), "shape": shape}


async def _index(request: Request) -> Response:
    servables = _servables(request)
    return json_response(
        [
            {
                "name": name,
                "version": str(each.version),
                "state": "READY" if each.state is State.AVAILABLE else "UNAVAILABLE",
                "reason": each.error_message,
            }
            for name in servables.names
            for each in servables.statuses(name)
        ]
    )


async def infer(
    servables: Servables, name: str, version: str | None, body: bytes, length: str | None
) -> Written:
    """Return the answer of a model to a request of `infer`.

    Args:
        servables: The models.
        name: The model.
        version: Its version or label; None for the default.
        body: The request's body.
        length: The header `Inference-Header-Content-Length`, if there is one.

    Raises:
        ServingError: If the request is wrong, the model is busy, or it fails.
    """
    with use_of(servables, name, version) as servable:
        servable.check_load()
        large = len(body) > LARGE
        read = (body, length, servable)
        asked = await asyncio.to_thread(read_request, *read) if large else read_request(*read)
        outputs = await servable.predict(asked.signature, asked.inputs)
        write = (servable, asked, outputs)
        return await asyncio.to_thread(write_response, *write) if large else write_response(*write)


async def _infer(request: Request) -> Response:
    body = await request.body()
    path = request.path_params
    length = request.headers.get(LENGTH)
    written = await infer(_servables(request), path["name"], path.get("version"), body, length)
    if written.json_length is None:
        return Response(written.body, media_type="application/json")
    headers = {LENGTH: str(written.json_length)}
    return Response(written.body, 200, headers, "application/octet-stream")
