"""TensorFlow Serving's paths: `/v1/models/NAME[/versions/N|/labels/L][:VERB|/metadata]`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from penstock.server.errors import InvalidArgumentError, ServingError
from penstock.server.rest.examples import classify, regress
from penstock.server.rest.json_tensors import write_json
from penstock.server.rest.metadata import metadata
from penstock.server.rest.predict import predict
from penstock.server.rest.rows import predict_rows
from penstock.server.servables.servable import Servable
from penstock.server.servables.servables import Servables

_TARGET = re.compile(
    r"(?P<name>[^/:]+)(?:/versions/(?P<version>[0-9]{1,30})|/labels/(?P<label>[^/:]+))?"
    r"(?::(?P<verb>[a-z]+)|(?P<metadata>/metadata))?",
    re.IGNORECASE,
)
LARGE = 1 << 17
"""Bytes of a body above which it is read and written in a thread."""

Verb = Callable[[Servable, bytes], Awaitable[Any]]
VERBS: dict[str, Verb] = {
    "predict": predict,
    "classify": classify,
    "regress": regress,
    "rows": predict_rows,
}


@dataclass(frozen=True)
class Target:
    """What a path names."""

    name: str
    version: int | None
    label: str | None
    verb: str


def parse_target(path: str, method: str) -> Target:
    """Return what a path behind `/v1/models/` names.

    Raises:
        InvalidArgumentError: If it is none, as TensorFlow Serving says it.
    """
    found = _TARGET.fullmatch(path)
    verb = (found["verb"] or "").lower() if found else ""
    posts = bool(verb)
    if found is None or (verb and verb not in VERBS) or posts != (method == "POST"):
        raise InvalidArgumentError(f"Malformed request: {method} /v1/models/{path}")
    version = None
    if found["version"] is not None:
        version = int(found["version"])
        if version >= 2**63:
            raise InvalidArgumentError(f"Failed to convert version: {version} to numeric.")
    return Target(
        found["name"],
        version,
        found["label"],
        verb or ("metadata" if found["metadata"] else "status"),
    )


async def answer_verb(servables: Servables, target: Target, body: bytes) -> bytes:
    """Return the answer of a model to a request, as JSON.

    Args:
        servables: The models.
        target: What the request's path names; its verb is one of `VERBS`.
        body: The request's body.

    Raises:
        ServingError: If the request is wrong, the model is busy, or it fails.
    """
    with servables.get(target.name, target.version, target.label) as servable:
        servable.check_load()
        answered = await VERBS[target.verb](servable, body)
    if len(body) > LARGE:
        return await asyncio.to_thread(write_json, answered)
    return write_json(answered)


def json_response(content: Any, status: int = 200) -> Response:
    """Return a response of JSON."""
    return Response(write_json(content), status, media_type="application/json")


def error_response(error: ServingError) -> Response:
    """Return TensorFlow Serving's response of an error: `{"error": "..."}`."""
    headers = {"Retry-After": "1"} if error.http_status in (429, 503) else None
    return Response(
        write_json({"error": str(error)}), error.http_status, headers, "application/json"
    )


async def answer(request: Request) -> Response:
    """Answer a request below `/v1/models/`."""
    servables: Servables = request.app.state.servables
    try:
        target = parse_target(request.path_params["target"], request.method)
        if target.verb == "status":
            return json_response(_status(servables, target))
        if target.verb == "metadata":
            with servables.get(target.name, target.version, target.label) as servable:
                return json_response(metadata(servable))
        answered = await answer_verb(servables, target, await request.body())
        return Response(answered, media_type="application/json")
    except ServingError as error:
        return error_response(error)


def _status(servables: Servables, target: Target) -> dict[str, Any]:
    version = target.version
    if target.label is not None:
        with servables.get(target.name, label=target.label) as servable:
            version = servable.version
    return {
        "model_version_status": [
            {
                "version": str(each.version),
                "state": each.state.value,
                "status": {"error_code": each.error_code, "error_message": each.error_message},
            }
            for each in servables.statuses(target.name, version)
        ]
    }
