"""Requests that nobody should send, over every door, and what a server may answer to them."""

from __future__ import annotations

import copy
import dataclasses
import gzip
import json
import random
import socket
import struct
from collections import Counter
from typing import Any

import grpc
import httpx
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
)

_STATUSES = {200, 400, 401, 403, 404, 405, 408, 411, 413, 415, 422, 429, 431, 503}
_CODES = {
    grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED,
}  # fmt: skip

_BODIES: list[tuple[str, Any]] = [
    ("/v1/models/m:predict", {"signature_name": "halve", "instances": [1.0, 2.5]}),
    ("/v1/models/m:predict", {"signature_name": "halve", "inputs": {"x": [1.0, 2.5]}}),
    (
        "/v1/models/m:predict",
        {
            "signature_name": "mixed",
            "instances": [{"a": [1.0, 2.0], "s": {"b64": "YQ=="}, "i": 3, "b": True}],
        },
    ),
    ("/v1/models/m:classify", {"signature_name": "classes", "examples": [{"x": 0.5}]}),
    (
        "/v1/models/m:regress",
        {"signature_name": "value", "context": {"x": 1.0}, "examples": [{"x": [0.5]}, {}]},
    ),
    ("/v1/models/m:rows", {"rows": [{"x": 1.0, "n": 3, "kind": "a"}, {"x": 2.0}]}),
    (
        "/v2/models/m/infer",
        {
            "id": "1",
            "parameters": {"signature_name": "halve"},
            "inputs": [{"name": "x", "shape": [2], "datatype": "FP32", "data": [1.0, 2.0]}],
            "outputs": [{"name": "half", "parameters": {"binary_data": True}}],
        },
    ),
]
_PATHS = [
    "/v1/models/m", "/v1/models/m/metadata", "/v1/models/m/versions/3", "/v1/models/m/labels/x", "/v2", "/v2/models/m",
    "/v2/models/m/ready", "/v2/repository/index", "/metrics", "/", "/docs", "/openapi.json", "/v1/models/",
]  # fmt: skip
_ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308, -1e308, 1e-320, float("nan"),
    float("inf"), "", "a", "\ud800", "x" * 10_000, "\0", [], {}, [[]], [{}], {"b64": "!"}, {"b64": "YQ=="}, {"b64": 1},
    {"": ""}, [None], [1, "a"], [[1], [2, 3]], ["a"] * 1000, [0] * 5000, "serving_default", "__proto__", "NaN",
]  # fmt: skip


class Fuzzer:
    """Sends requests that are made by a seed, and collects what is answered.

    Args:
        address: The HTTP address of a server of the model `m`, without a token.
        grpc_address: Its gRPC address.
        seed: Decides all requests.

    Attributes:
        answers: How often each status came.
        faults: What no server may answer, with the request.
    """

    def __init__(self, address: str, grpc_address: str, seed: int) -> None:
        self._url = httpx.URL(address)
        self._random = random.Random(seed)
        self._channel = grpc.insecure_channel(grpc_address, [("grpc.use_local_subchannel_pool", 1)])
        self._grpc_address = grpc_address
        self._connection: socket.socket | None = None
        self.answers: Counter[str] = Counter()
        self.faults: list[str] = []

    def run(self, count: int) -> None:
        """Send so many requests."""
        kinds = [self._json, self._json, self._bytes, self._headers, self._paths, self._binary]
        kinds += [self._grpc_fields, self._grpc_fields, self._grpc_bytes]
        for number in range(count):
            if number % 500 == 250:
                self._garbage_to_grpc()
                continue
            self._random.choice(kinds)()
        self._drop()
        self._channel.close()

    def _json(self) -> None:
        path, body = self._random.choice(_BODIES)
        body = copy.deepcopy(body)
        for _ in range(self._random.choice((1, 1, 2, 5))):
            body = self._changed(body)
        text = json.dumps(body).encode()
        self._post(path, text)

    def _bytes(self) -> None:
        path, body = self._random.choice(_BODIES)
        text = self._corrupted(json.dumps(body).encode())
        if self._random.random() < 0.1:
            packed = self._random.choice(
                (gzip.compress(text), self._corrupted(gzip.compress(text)))
            )
            self._post(path, packed, "Content-Encoding: gzip")
        else:
            self._post(path, text)

    def _binary(self) -> None:
        """Send binary tensors behind JSON, with sizes that may be wrong."""
        choose = self._random.choice
        data = np.arange(choose((0, 1, 2, 3)), dtype="<f4").tobytes()
        tensor = {
            "name": choose(("x", "y", "")),
            "shape": choose(([2], [1], [-1], [2**30], [2, 2**40], [], 2, None)),
            "datatype": choose(("FP32", "FP64", "BYTES", "BOOL", "BF16", "INT64", "", 3)),
            "parameters": {
                "binary_data_size": choose((len(data), 0, 4, -4, 2**40, "8", None, True))
            },
        }
        head = json.dumps({"parameters": {"signature_name": "halve"}, "inputs": [tensor]}).encode()
        length = choose((len(head), len(head), 0, len(head) - 1, -1, 10**30, "x", "9" * 5000))
        if choose((True, False)):
            data = struct.pack("<I", choose((0, 1, 2**32 - 1))) + data
        self._post("/v2/models/m/infer", head + data, f"Inference-Header-Content-Length: {length}")

    def _headers(self) -> None:
        path, body = self._random.choice(_BODIES)
        text = json.dumps(body).encode()
        length = f"Content-Length: {len(text)}"
        odd = self._random.choice(
            (
                "Content-Length: 0", "Content-Length: -3", f"Content-Length: {10**18}", "Content-Length: 9e9",
                "Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Expect: 100-continue", "Connection: close",
                "Upgrade: websocket\r\nConnection: upgrade", "Upgrade: h2c\r\nConnection: upgrade", "X: " + "y" * 40_000,
                "Content-Type: application/x-protobuf", "Authorization: Bearer x", "X-Request-Id: \x01\xff", " : ", "A",
                "Host: a\r\nHost: b", "Accept: " + "a/b;q=0.1," * 500, "Content-Encoding: br", "Range: bytes=0-1",
            )
        )  # fmt: skip
        lines = [odd] if odd.startswith(("Content-L", "Transfer")) else [odd, length]
        self._raw(self._request("POST", path, lines, text), malformed=True)

    def _paths(self) -> None:
        choose = self._random.choice
        path = choose(_PATHS)
        for _ in range(choose((0, 1, 2))):
            odd = choose(
                (
                    "%00",
                    "%ff",
                    "..",
                    "/",
                    "//",
                    ":",
                    "%2e%2e%2f",
                    "?a=1",
                    "#",
                    "9" * 5000,
                    "é",
                    ":predict",
                    "/versions/9",
                )
            )
            place = self._random.randrange(len(path) + 1)
            path = path[:place] + odd + path[place:]
        method = choose(
            (
                "GET",
                "GET",
                "POST",
                "PUT",
                "DELETE",
                "OPTIONS",
                "HEAD",
                "PATCH",
                "TRACE",
                "CONNECT",
                "FOO",
            )
        )
        self._raw(
            self._request(method, path, ["Content-Length: 0"], b""), malformed=True, method=method
        )

    def _grpc_fields(self) -> None:
        choose = self._random.choice
        request: Any
        method = choose(
            ("Predict", "Predict", "Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata", "GetModelStatus", "Reload")
        )  # fmt: skip
        if method == "Predict":
            request = predict_pb2.PredictRequest()
            self._spec(request.model_spec)
            for _ in range(choose((0, 1, 1, 2, 4))):
                self._tensor(request.inputs[choose(("x", "a", "s", "i", "b", "examples", ""))])
            if choose((True, False, False)):
                request.output_filter.append(choose(("half", "double", "", "x" * 5000)))
        elif method in ("Classify", "Regress"):
            request = classification_pb2.ClassificationRequest()
            self._spec(request.model_spec)
            self._input(request.input)
        elif method == "MultiInference":
            request = inference_pb2.MultiInferenceRequest()
            for _ in range(choose((0, 1, 2, 3))):
                task = request.tasks.add(
                    method_name=f"tensorflow/serving/{choose(('classify', 'regress', 'x'))}"
                )
                self._spec(task.model_spec)
            self._input(request.input)
        elif method == "GetModelMetadata":
            request = get_model_metadata_pb2.GetModelMetadataRequest(
                metadata_field=choose(([], ["signature_def"], ["x" * 9000]))
            )
            self._spec(request.model_spec)
        elif method == "GetModelStatus":
            request = get_model_status_pb2.GetModelStatusRequest()
            self._spec(request.model_spec)
        else:
            # Only such as change nothing: the config that is asked for makes no sense.
            request = model_management_pb2.ReloadConfigRequest()
            config = request.config.model_config_list.config.add(
                name=choose(("", "m", "../m", "x" * 999))
            )
            config.model_platform = choose(("onnx", "tensorflow"))
        self._call(method, request.SerializeToString())

    def _grpc_bytes(self) -> None:
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = "m", "halve"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0, 2.0]))
        method = self._random.choice(("Predict", "Classify", "GetModelStatus", "Unknown"))
        self._call(method, self._corrupted(request.SerializeToString()))

    def _garbage_to_grpc(self) -> None:
        host, _, port = self._grpc_address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            start = self._random.choice(
                (b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n")
            )
            connection.sendall(
                start + self._random.randbytes(self._random.choice((1, 9, 100, 5000)))
            )
        self.answers["garbage"] += 1

    def _spec(self, spec: Any) -> None:
        choose = self._random.choice
        spec.name = choose(("m", "m", "m", "", "x", "\0", "m" * 5000))
        spec.signature_name = choose(("", "halve", "mixed", "classes", "value", "x"))
        if choose((True, False, False)):
            spec.version.value = choose((3, 0, -1, 2**62))
        elif choose((True, False, False, False)):
            spec.version_label = choose(("", "champion", "\n"))

    def _tensor(self, tensor: Any) -> None:
        choose = self._random.choice
        tensor.dtype = choose((0, 1, 1, 1, 2, 3, 4, 7, 7, 9, 10, 14, 19, 20, 21, 101))
        for _ in range(choose((0, 1, 1, 2, 40))):
            tensor.tensor_shape.dim.add(size=choose((0, 1, 2, -1, 2**20, 2**40, 2**62)))
        if choose((True, False, False, False, False)):
            tensor.tensor_shape.unknown_rank = True
        values = self._random.randrange(4)
        tensor.float_val.extend([choose((1.0, float("nan"), 1e38))] * values)
        tensor.int_val.extend([choose((1, -1, 2**31 - 1))] * self._random.randrange(3))
        tensor.int64_val.extend([choose((1, 2**62))] * self._random.randrange(3))
        tensor.half_val.extend([choose((1, -1, 2**30))] * self._random.randrange(3))
        tensor.string_val.extend([choose((b"", b"\xff" * 9, b"\n\0"))] * self._random.randrange(3))
        if choose((True, False, False)):
            tensor.tensor_content = self._random.randbytes(choose((1, 4, 8, 16)))

    def _input(self, given: Any) -> None:
        example = tf.train.Example()
        for name in self._random.sample(["x", "n", "kind", ""], self._random.randrange(4)):
            feature = example.features.feature[name]
            kind = self._random.choice(("float_list", "int64_list", "bytes_list"))
            value: Any = b"\xff" if kind == "bytes_list" else 1
            getattr(feature, kind).value.extend([value] * self._random.randrange(3))
        if self._random.random() < 0.5:
            given.example_list.examples.extend([example] * self._random.randrange(3))
        elif self._random.random() < 0.8:
            given.example_list_with_context.context.CopyFrom(example)
            given.example_list_with_context.examples.extend([example] * self._random.randrange(3))

    def _changed(self, value: Any) -> Any:
        """Return JSON in which something is another."""
        choose = self._random.choice
        if self._random.random() < 0.3 or not isinstance(value, dict | list) or not value:
            return choose((choose(_ODD), [value], [value, value], {"x": value}))
        if isinstance(value, dict):
            key = choose(list(value))
            changed = dict(value)
            if self._random.random() < 0.15:
                del changed[key]
            else:
                changed[key] = self._changed(value[key])
            if self._random.random() < 0.1:
                changed[str(choose(_ODD[:10]))] = choose(_ODD)
            return changed
        place = self._random.randrange(len(value))
        return [*value[:place], self._changed(value[place]), *value[place + 1 :]]

    def _corrupted(self, content: bytes) -> bytes:
        changed = bytearray(content)
        for _ in range(self._random.choice((1, 1, 2, 10))):
            place = self._random.randrange(len(changed) + 1)
            kind = self._random.randrange(4)
            if kind == 0:
                changed[place : place + 1] = self._random.randbytes(1)
            elif kind == 1:
                del changed[place : place + self._random.randrange(1, 20)]
            elif kind == 2:
                changed[place:place] = self._random.choice(
                    (b"[" * 200, b'"', b"\\u", b"\0", b"9" * 50, b"{", b"}")
                )
            else:
                changed[place:place] = changed[: self._random.randrange(50)]
        return bytes(changed)

    def _request(self, method: str, path: str, lines: list[str], body: bytes) -> bytes:
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]
        return "\r\n".join(head).encode("latin-1", "replace") + body

    def _post(self, path: str, body: bytes, *lines: str) -> None:
        self._raw(self._request("POST", path, [*lines, f"Content-Length: {len(body)}"], body))

    def _raw(self, request: bytes, malformed: bool = False, method: str = "POST") -> None:
        """Send a request as it is. Where it may be no HTTP, the server may wait for more, and so do not we."""
        for attempt in (1, 2):
            fresh = self._connection is None
            try:
                status = self._exchange(request, method, 0.3 if malformed else 30)
            except TimeoutError:
                self._drop()
                status = "no answer"
            except ConnectionError:
                self._drop()
                status = "closed"
                if not fresh and attempt == 1:
                    continue  # the server closed the connection after the last request
            break
        self.answers[f"http {status}"] += 1
        known = status.isdigit() and int(status) in _STATUSES
        if not known and not (malformed and status in ("no answer", "closed")):
            self.faults.append(f"{status}: {request[:2000]!r}")

    def _exchange(self, request: bytes, method: str, seconds: float) -> str:
        if self._connection is None:
            self._connection = socket.create_connection(
                (self._url.host, self._url.port), timeout=30
            )
        connection = self._connection
        connection.settimeout(seconds)
        connection.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._part(connection)
            if received.startswith(b"HTTP/1.1 100 "):
                received = received.partition(b"\r\n\r\n")[2]
        head, _, body = received.partition(b"\r\n\r\n")
        lower = head.lower()
        _, found, length = lower.partition(b"content-length: ")
        if found and method != "HEAD":
            while len(body) < int(length.partition(b"\r\n")[0]):
                body += self._part(connection)
        if (
            b"connection: close" in lower
            or not found
            or len(body) > int(length.partition(b"\r\n")[0])
            or seconds < 1
        ):
            self._drop()
        return head.split()[1].decode()

    def _part(self, connection: socket.socket) -> bytes:
        part = connection.recv(1 << 16)
        if not part:
            raise ConnectionError("closed")
        return part

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _call(self, method: str, message: bytes) -> None:
        service = "ModelService" if method in ("GetModelStatus", "Reload") else "PredictionService"
        name = "HandleReloadConfigRequest" if method == "Reload" else method
        try:
            self._channel.unary_unary(f"/tensorflow.serving.{service}/{name}")(message, timeout=30)
            code = grpc.StatusCode.OK
        except grpc.RpcError as error:
            code = error.code()
            if code not in _CODES:
                self.faults.append(f"{code} {error.details()}: {method} {message[:2000]!r}")
        self.answers[f"grpc {code.name}"] += 1


@dataclasses.dataclass
class Use:
    """What a process uses: memory in MB, open files, threads."""

    megabytes: float
    files: int
    threads: int


def use_of(pid: int) -> Use:
    """Return what a process uses now."""
    import psutil

    process = psutil.Process(pid)
    return Use(process.memory_info().rss / 1e6, process.num_fds(), process.num_threads())
