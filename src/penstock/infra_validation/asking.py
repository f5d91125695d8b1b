"""Asking a model server by TensorFlow Serving's REST interface, and checking its answers."""

from __future__ import annotations

import http.client
import json
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from penstock.infra_validation.requests import Request
from penstock.spelling import counted

_STATUS_SECONDS = 5.0


class NoAnswer(Exception):
    """The server closed the connection, or took too long."""


class WrongAnswer(Exception):
    """The server answered, but not as a model must; the message says how."""


class Client:
    """A connection to a model server.

    Args:
        host: Its host.
        port: Its port.
        model: The model's name.
    """

    def __init__(self, host: str, port: int, model: str) -> None:
        self._host, self._port, self._model = host, port, model
        self._connection: http.client.HTTPConnection | None = None

    def state(self) -> tuple[str, str]:
        """Return the state of the model's version, such as "AVAILABLE", and why it is not.

        The state is "" while the server does not say.
        """
        try:
            status, content = self._exchange("GET", "", None, _STATUS_SECONDS)
            if status != 200:
                return "", str(content.get("error", ""))
            found = content["model_version_status"]
            if not found:
                return "", ""
            message = str(found[0].get("status", {}).get("error_message", ""))
            return str(found[0]["state"]), message
        except (NoAnswer, TimeoutError, LookupError, AttributeError):
            return "", ""

    def ask(self, request: Request, seconds: float) -> tuple[dict[str, Any], float]:
        """Send a request; return the outputs by name and how many milliseconds it took.

        Raises:
            TimeoutError: If it takes longer than `seconds`.
            NoAnswer: If the connection breaks.
            WrongAnswer: If the answer is an error.
        """
        body = json.dumps(request.body).encode()
        started = time.perf_counter()
        status, content = self._exchange("POST", ":predict", body, seconds)
        elapsed = 1000 * (time.perf_counter() - started)
        if status != 200:
            reason = content.get("error", content) if isinstance(content, dict) else content
            raise WrongAnswer(f"failed with the status {status}: {reason}")
        if not isinstance(content, dict) or "outputs" not in content:
            raise WrongAnswer("was answered without outputs")
        outputs = content["outputs"]
        return outputs if isinstance(outputs, dict) else {"": outputs}, elapsed

    def _exchange(
        self, method: str, verb: str, body: bytes | None, seconds: float
    ) -> tuple[int, Any]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, self._port)
        connection = self._connection
        connection.timeout = seconds
        if connection.sock is not None:
            connection.sock.settimeout(seconds)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, f"/v1/models/{self._model}{verb}", body, headers)
            response = connection.getresponse()
            data = response.read()
        except TimeoutError:
            self.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise NoAnswer(str(error)) from error
        try:
            return response.status, json.loads(data)
        except ValueError as error:
            raise WrongAnswer(f"was answered with no JSON: {data[:100]!r}") from error

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def check_answer(outputs: dict[str, Any], names: Sequence[str], rows: int) -> None:
    """Check that each output has an entry for each row, and no NaN.

    Args:
        outputs: The outputs by name; the name of an only one may be "".
        names: The outputs of the signature.
        rows: The number of rows of the request.

    Raises:
        WrongAnswer: If one has not.
    """
    if set(outputs) == {""} and len(names) == 1:
        outputs = {names[0]: outputs[""]}
    for name, values in outputs.items():
        where = f"the output {name!r}" if name else "its output"
        count = len(values) if isinstance(values, list) else None
        if count != rows:
            got = "one value" if count is None else counted(count, "row")
            raise WrongAnswer(f"was answered with {got} in {where}, not {counted(rows, 'row')}")
        for row, value in enumerate(values):
            if any(math.isnan(each) for each in _floats(value)):
                raise WrongAnswer(f"was answered with NaN in row {row} of {where}")


def _floats(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _floats(each)
