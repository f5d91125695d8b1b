"""What a request can end in: one family of errors, which each door maps to its own status.

ServingError
 ├── NotFoundError             no such model, version, label or signature
 ├── InvalidArgumentError      the request is wrong; the same one will fail again
 ├── ResourceExhaustedError    more requests than the server takes now; try again later
 ├── UnavailableError          the model is not loaded, or the server stops
 └── InternalError             the model failed
"""

from __future__ import annotations

from typing import ClassVar


class ServingError(Exception):
    """A request that gets no answer from a model.

    Attributes:
        code: The name of its status in gRPC, such as "NOT_FOUND".
        http_status: The status of its answer over HTTP, as TensorFlow Serving has it.
    """

    code: ClassVar[str] = "INTERNAL"
    http_status: ClassVar[int] = 500


class NotFoundError(ServingError):
    """There is no such model, version, label or signature."""

    code = "NOT_FOUND"
    http_status = 404


class InvalidArgumentError(ServingError):
    """The request is wrong: the same one will fail again."""

    code = "INVALID_ARGUMENT"
    http_status = 400


class UnauthenticatedError(ServingError):
    """The request has no token of the server."""

    code = "UNAUTHENTICATED"
    http_status = 401


class PermissionDeniedError(ServingError):
    """Nobody may do that here."""

    code = "PERMISSION_DENIED"
    http_status = 403


class ResourceExhaustedError(ServingError):
    """There are more requests than the server takes now."""

    code = "RESOURCE_EXHAUSTED"
    http_status = 429


class UnavailableError(ServingError):
    """The model is not loaded, or the server is stopping."""

    code = "UNAVAILABLE"
    http_status = 503


class InternalError(ServingError):
    """The model failed."""
