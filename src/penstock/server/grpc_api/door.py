"""The gRPC server: who may ask, how much, how long, and the methods that answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from penstock.server.config import ServerConfig
from penstock.server.divided import DividedServables
from penstock.server.errors import (
    InvalidArgumentError,
    ResourceExhaustedError,
    ServingError,
    UnauthenticatedError,
    UnavailableError,
)
from penstock.server.grpc_api.model_service import ModelService
from penstock.server.grpc_api.prediction_service import PredictionService
from penstock.server.request_context import REQUEST, RequestContext, new_request
from penstock.server.safety.access import is_loopback

LOG = logging.getLogger("penstock.server")

_PREDICTION = "/tensorflow.serving.PredictionService/"
_MODEL = "/tensorflow.serving.ModelService/"
_HEALTH = "/grpc.health.v1.Health/Check"
# HealthCheckResponse with SERVING or NOT_SERVING; the request's service is its field 1.
_SERVING, _NOT_SERVING = b"\x08\x01", b"\x08\x02"

_QUIET_SECONDS = 0.3

Method = Callable[[Any], Awaitable[Any]]


class GrpcDoor:
    """A gRPC server of the models.

    Args:
        servables: The models.
        config: Who may ask, and its bounds.

    Example:
        >>> door = GrpcDoor(servables, config)
        >>> port = await door.start("127.0.0.1", 8500)
        >>> await door.stop(30.0)
    """

    def __init__(self, servables: DividedServables, config: ServerConfig) -> None:
        self._servables = servables
        self._config = config
        self._current = 0
        self._stopping = False
        prediction = PredictionService(servables, config.limits.body_bytes)
        trusted = bool(config.access.tokens) or is_loopback(config.host)
        models = ModelService(servables, trusted, alone=config.processes == 1)
        self._methods: dict[str, tuple[Any, Method]] = {
            f"{_PREDICTION}Predict": (predict_pb2.PredictRequest, prediction.predict),
            f"{_PREDICTION}Classify": (
                classification_pb2.ClassificationRequest,
                prediction.classify,
            ),
            f"{_PREDICTION}Regress": (regression_pb2.RegressionRequest, prediction.regress),
            f"{_PREDICTION}MultiInference": (
                inference_pb2.MultiInferenceRequest,
                prediction.multi_inference,
            ),
            f"{_PREDICTION}GetModelMetadata": (
                get_model_metadata_pb2.GetModelMetadataRequest,
                prediction.get_model_metadata,
            ),
            f"{_MODEL}GetModelStatus": (
                get_model_status_pb2.GetModelStatusRequest,
                models.get_model_status,
            ),
            f"{_MODEL}HandleReloadConfigRequest": (
                model_management_pb2.ReloadConfigRequest,
                models.reload,
            ),
        }
        self._server: grpc.aio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, and return the port.

        Raises:
            OSError: If it cannot listen there.
        """
        limits = self._config.limits
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", limits.body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", limits.header_bytes),
                ("grpc.absolute_max_metadata_size", limits.header_bytes),
                ("grpc.max_concurrent_streams", 2 * self._config.max_concurrent),
                # Two servers on one port would each get some of the requests.
                ("grpc.so_reuseport", int(self._config.processes > 1)),
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.keepalive_timeout_ms", 20_000),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.max_connection_idle_ms", 600_000),
                ("grpc.server_handshake_timeout_ms", int(1000 * limits.header_seconds)),
            ]
        )
        server.add_generic_rpc_handlers((_Methods(self),))
        address = f"{f'[{host}]' if ':' in host else host}:{port}"
        credentials = self._credentials()
        try:
            bound = (
                server.add_insecure_port(address)
                if credentials is None
                else server.add_secure_port(address, credentials)
            )
        except RuntimeError as error:
            raise OSError(
                f"The server cannot listen at {host}, port {port}, for gRPC: {error}"
            ) from error
        if not bound:
            raise OSError(f"The server cannot listen at {host}, port {port}, for gRPC.")
        await server.start()
        self._server = server
        return int(bound)

    async def stop(self, grace: float) -> None:
        """Take no new requests, and wait for those in progress.

        New ones are refused for a moment before the connections are closed: a request that meets the
        closing would end as cancelled, which clients do not try again.

        Args:
            grace: The most seconds to wait.
        """
        self._stopping = True
        loop = asyncio.get_running_loop()
        end = loop.time() + grace
        quiet_until = loop.time() + _QUIET_SECONDS
        while loop.time() < min(quiet_until, end):
            await asyncio.sleep(_QUIET_SECONDS / 10)
            if self._current:
                quiet_until = loop.time() + _QUIET_SECONDS
        if self._server is not None:
            await self._server.stop(max(0.0, end - loop.time()))

    def _credentials(self) -> Any:
        access = self._config.access
        if access.certificate is None or access.key is None:
            return None
        with open(access.key, "rb") as key, open(access.certificate, "rb") as certificate:
            return grpc.ssl_server_credentials([(key.read(), certificate.read())])

    async def answer(self, name: str, messages: AsyncIterator[bytes], context: Any) -> bytes:
        """Answer a request; called by gRPC for each."""
        began = time.monotonic()
        metadata = dict(context.invocation_metadata() or ())
        request = new_request(
            "grpc", {key: value for key, value in metadata.items() if isinstance(value, str)}
        )
        REQUEST.set(request)
        code = "CANCELLED"
        try:
            response = await self._answered(name, messages, metadata)
            code = "OK"
            context.set_trailing_metadata(_trailing(request))
            return response
        except ServingError as error:
            code = error.code
            await context.abort(
                grpc.StatusCode[code], str(error)[:_MESSAGE_CHARACTERS], _trailing(request)
            )
            raise
        except Exception as error:
            if isinstance(error, grpc.aio.AbortError):
                raise
            LOG.exception("%s failed", name)
            code = "INTERNAL"
            await context.abort(grpc.StatusCode.INTERNAL, "The server failed; see its log.")
            raise
        finally:
            self._servables.measures.finished(
                request.model, request.door, code, time.monotonic() - began
            )

    async def _answered(
        self, name: str, messages: AsyncIterator[bytes], metadata: dict[str, Any]
    ) -> bytes:
        if name == _HEALTH:
            return await self._health(messages)
        if not self._config.access.admits(metadata.get("authorization")):
            raise UnauthenticatedError(
                "The request needs the metadata `authorization: Bearer TOKEN` with a token of the server."
            )
        if self._stopping:
            raise UnavailableError("The server is stopping.")
        if self._current >= self._config.max_concurrent:
            raise ResourceExhaustedError("The server is busy. Try again later.")
        self._current += 1
        size = 0
        try:
            kind, method = self._methods[name]
            body = await self._read(messages)
            self._servables.pending.add(len(body))
            size = len(body)
            try:
                request = kind.FromString(body)
            except (DecodeError, RecursionError) as error:
                raise InvalidArgumentError(
                    f"The message is no {kind.DESCRIPTOR.full_name}: {error}"
                ) from error
            response = await method(request)
            return bytes(response.SerializeToString())
        finally:
            self._current -= 1
            self._servables.pending.remove(size)

    async def _read(self, messages: AsyncIterator[bytes]) -> bytes:
        """Return the message; a client that sends it for ever does not hold its place for ever."""
        seconds = self._config.limits.body_seconds
        try:
            async with asyncio.timeout(seconds):
                return await anext(messages)
        except TimeoutError as error:
            raise InvalidArgumentError(
                f"The message did not arrive within {seconds:g} s."
            ) from error
        except StopAsyncIteration as error:
            raise InvalidArgumentError("The request has no message.") from error

    async def _health(self, messages: AsyncIterator[bytes]) -> bytes:
        await self._read(messages)
        return _SERVING if self._servables.ready and not self._stopping else _NOT_SERVING


_MESSAGE_CHARACTERS = 4000
"""Of a status: it travels as a header, and clients take no more than 8 KiB of those."""


class _Methods(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Finds the method of a call.

    Methods of one message are registered as if they took a stream of them, which is the same on the wire:
    so who asks is checked, and the time runs, before the message is there.
    """

    def __init__(self, door: GrpcDoor) -> None:
        self._door = door

    def service(self, handler_call_details: Any) -> Any:
        name = handler_call_details.method
        if name not in self._door._methods and name != _HEALTH:
            return None

        async def answer(messages: AsyncIterator[bytes], context: Any) -> bytes:
            return await self._door.answer(name, messages, context)

        return grpc.stream_unary_rpc_method_handler(answer)


def _trailing(request: RequestContext) -> tuple[tuple[str, str], ...]:
    found = (
        ("x-request-id", request.id),
        ("x-penstock-version", request.versions),
        ("x-penstock-label", request.labels),
    )
    return tuple(each for each in found if each[1])
