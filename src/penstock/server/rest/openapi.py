"""What the server answers, as an OpenAPI document with the features of each model, and a page to try it."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

import penstock
from penstock.server.errors import ServingError
from penstock.server.rest.models import json_response
from penstock.server.servables.servable import Servable
from penstock.server.servables.servables import Servables
from penstock.server.servables.signature import ANY, SignatureInfo
from penstock.serving.signature import DEFAULT_SIGNATURE, FeatureInput

_MOST_EXAMPLES = 200
_JSON = "application/json"


def routes() -> list[Route]:
    """Return the paths of the document and the page."""
    return [Route("/", _page), Route("/openapi.json", _document)]


async def _page(request: Request) -> Response:
    return HTMLResponse(_page_text())


@cache
def _page_text() -> str:
    return resources.files("penstock.server.rest").joinpath("page.html").read_text("utf-8")


async def _document(request: Request) -> Response:
    return json_response(openapi(request.app.state.servables))


def openapi(servables: Servables) -> dict[str, Any]:
    """Return the OpenAPI document of the models that are loaded now, each by its default version."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {
        "Error": _object({"error": {"type": "string"}}, ["error"]),
    }
    for name in servables.names:
        try:
            with servables.get(name) as servable:
                schemas[f"{name}.Row"] = row_schema(servable)
                paths |= _paths(servables, servable)
        except ServingError as error:
            paths[f"/v1/models/{name}"] = {"get": _status(name, str(error))}
    paths["/v2/health/ready"] = {
        "get": {
            "tags": ["server"],
            "summary": "Whether every model answers",
            "responses": _responses({}),
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Penstock model server",
            "version": penstock.__version__,
            "description": "TensorFlow Serving's REST API, the open inference protocol, rows.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def row_schema(servable: Servable) -> dict[str, Any]:
    """Return the JSON schema of a row of a model's features."""
    signature = servable.signatures.get(DEFAULT_SIGNATURE)
    if signature is None:
        return {"type": "object"}
    properties = {}
    required = []
    for name, feature in sorted(_features(signature).items()):
        properties[name] = _feature(feature) | _known_values(servable, name)
        if feature.required:
            required.append(name)
    return _object(properties, required)


def _features(signature: SignatureInfo) -> dict[str, FeatureInput]:
    if signature.features is not None:
        return dict(signature.features)
    if signature.takes_examples:
        return {}  # its graph does not show them
    return {
        name: FeatureInput(tensor.dtype, (), required=False)
        for name, tensor in signature.inputs.items()
    }


def _feature(feature: FeatureInput) -> dict[str, Any]:
    if feature.dtype == ANY:
        return {"type": ["number", "string", "null"]}
    kind = "integer" if "int" in feature.dtype or feature.dtype == "bool" else "number"
    kind = "string" if feature.dtype == "string" else kind
    schema: dict[str, Any] = {"type": kind if feature.required else [kind, "null"]}
    sizes = feature.shape
    if sizes is None or -1 in sizes:
        return {"type": "array", "items": {"type": kind}}
    for size in reversed(sizes):
        if size != 1:
            schema = {"type": "array", "items": schema, "minItems": size, "maxItems": size}
    return schema


def _known_values(servable: Servable, name: str) -> dict[str, Any]:
    """Return values of a feature that has a vocabulary."""
    if name not in servable.labels.vocabularies:
        return {}
    try:
        return {"examples": servable.labels.vocabulary(name)[:_MOST_EXAMPLES]}
    except (OSError, ValueError):  # the file of a vocabulary, which only this page needs
        return {}


def _paths(servables: Servables, servable: Servable) -> dict[str, Any]:
    name = servable.name
    model = servables.model(name)
    row = {"$ref": f"#/components/schemas/{name}.Row"}
    rows = _object({"rows": {"type": "array", "items": row}}, ["rows"])
    answers = _object(
        {
            "model": {"type": "string"},
            "version": {"type": "integer"},
            "rows": {"type": "array", "items": {"type": "object"}},
        },
        ["rows"],
    )
    instances = _object({"signature_name": {"type": "string"}, "instances": {"type": "array"}}, [])
    tensors = _object({"id": {"type": "string"}, "inputs": {"type": "array"}}, ["inputs"])
    chosen = {
        "x-penstock-versions": model.available,
        "x-penstock-labels": model.labels,
        "x-penstock-default": servable.version,
    }
    start = f"/v1/models/{name}"
    return {
        start: {"get": _status(name, "")},
        f"{start}:rows": {
            "post": _operation(name, "Answer rows of features", rows, answers) | chosen
        },
        f"{start}:predict": {
            "post": _operation(name, "TensorFlow Serving's predict", instances, {})
        },
        f"{start}/metadata": {
            "get": {"tags": [name], "summary": "The signatures", "responses": _responses({})}
        },
        f"/v2/models/{name}": {
            "get": {"tags": [name], "summary": "Inputs and outputs", "responses": _responses({})}
        },
        f"/v2/models/{name}/infer": {
            "post": _operation(name, "The open inference protocol", tensors, {})
        },
    }


def _operation(
    name: str, summary: str, body: dict[str, Any], answer: dict[str, Any]
) -> dict[str, Any]:
    return {
        "tags": [name],
        "summary": summary,
        "requestBody": {"required": True, "content": {_JSON: {"schema": body}}},
        "responses": _responses(answer),
    }


def _status(name: str, error: str) -> dict[str, Any]:
    status = {"tags": [name], "summary": "The state of each version", "responses": _responses({})}
    return status | ({"description": error} if error else {})


def _responses(answer: dict[str, Any]) -> dict[str, Any]:
    error = {"$ref": "#/components/schemas/Error"}
    return {
        "200": {"description": "The answer", "content": {_JSON: {"schema": answer}}},
        "default": {"description": "What is wrong", "content": {_JSON: {"schema": error}}},
    }


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return schema | ({"required": required} if required else {})
