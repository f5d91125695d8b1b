"""Requests that go past the ASGI application get the answers that it gives."""

from __future__ import annotations

import json
import socket
from types import SimpleNamespace

import httpx
import pytest

from penstock.server.config import ServerConfig
from penstock.server.divided import DividedServables
from penstock.server.rest.admission import Places
from penstock.server.rest.direct import DirectDoor

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]

HALVE = b'{"signature_name": "halve", "instances": [3.0]}'
INFER = {
    "parameters": {"signature_name": "halve", "binary_data_output": True},
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2]}],
}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/models/m:predict", HALVE),
        ("/v1/models/m/versions/3:PREDICT", HALVE),
        ("/v1/models/m:rows", b'{"x": 2}'),
        ("/v2/models/m/infer", json.dumps(INFER).encode()),
        ("/v2/models/m/versions/3/infer", json.dumps(INFER).encode()),
        ("/v1/models/m:predict", b""),
        ("/v1/models/m:predict", b'{"instances": [{"b64": "!"}]}'),
        ("/v1/models/nothing:predict", HALVE),
        ("/v1/models/m/labels/none:predict", HALVE),
        ("/v1/models/m:nothing", HALVE),
        ("/v2/models/m/versions/9/infer", b"{}"),
    ],
)
def test_both_ways_give_one_answer(server, path, body):
    headers = {"x-request-id": "order-17", "connection": "close"}

    def asked(path: str) -> tuple[int, bytes, dict[str, str]]:
        answer = server.post(path, content=body, headers=headers)
        told = dict(answer.headers)
        assert told.pop("date")
        return answer.status_code, answer.content, told

    # A path with a query goes through the application.
    assert asked(path) == asked(f"{path}?")


def test_requests_in_a_row_are_answered_in_order(server):
    url = httpx.URL(server.address)
    asked = b""
    for number in range(6):
        body = b'{"signature_name": "halve", "instances": [%d]}' % number
        path = b"/v1/models/m:predict" + b"?" * (number % 2)
        asked += b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % (
            path,
            len(body),
        )
        asked += (b"Connection: close\r\n" if number == 5 else b"") + b"\r\n" + body
    with socket.create_connection((url.host, url.port)) as connection:
        connection.sendall(asked)
        answered = b""
        while part := connection.recv(1 << 16):
            answered += part
    answers = [
        json.loads(b"{" + each.partition(b"}")[0] + b"}") for each in answered.split(b"{")[1:]
    ]
    assert [each["predictions"] for each in answers] == [[number / 2] for number in range(6)]


def test_unusual_requests_are_left_to_the_application():
    door = DirectDoor(
        DividedServables([]), ServerConfig(()), Places(1), SimpleNamespace(draining=False)
    )
    usual = [(b"host", b"localhost"), (b"content-length", b"2")]
    path = b"/v1/models/m:predict"
    assert door.plan(b"POST", path, usual) is not None
    assert door.plan(b"GET", path, usual) is None
    for unusual in (b"/v1/models/m", b"/v1/models/%6d:predict", path + b"?a=b", b"/", b"/\xff"):
        assert door.plan(b"POST", unusual, usual) is None
    for header in (
        (b"transfer-encoding", b"chunked"),
        (b"content-encoding", b"gzip"),
        (b"expect", b"100-continue"),
        (b"origin", b"http://evil.example"),
        (b"content-length", b"10000000"),
        (b"content-length", b"x"),
    ):
        assert door.plan(b"POST", path, [*usual, header]) is None
    assert door.plan(b"POST", path, usual[:1]) is None
