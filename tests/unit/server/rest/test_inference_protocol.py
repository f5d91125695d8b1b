"""The open inference protocol, version 2: requests as its specification has them."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]


def tensor(name, datatype, shape, data):
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


HALVE = {"parameters": {"signature_name": "halve"}}


def test_server_and_models_describe_themselves(server):
    assert server.get("/v2").json()["name"] == "penstock"
    assert "binary_tensor_data" in server.get("/v2").json()["extensions"]
    assert server.get("/v2/health/live").json() == {"live": True}
    assert server.get("/v2/health/ready").json() == {"ready": True}
    assert server.get("/v2/models/m/ready").json() == {"name": "m", "ready": True}
    assert server.get("/v2/models/m/versions/9/ready").status_code == 404
    content = server.get("/v2/models/m/versions/3").json()
    assert content["versions"] == ["3"]
    assert content["platform"] == "tensorflow_savedmodel"
    assert content["inputs"] == [{"name": "examples", "datatype": "BYTES", "shape": [-1]}]
    assert {"name": "double", "datatype": "FP32", "shape": [-1, 1]} in content["outputs"]
    index = server.post("/v2/repository/index").json()
    assert index == [{"name": "m", "version": "3", "state": "READY", "reason": ""}]


def test_tensors_as_json(server):
    asked = {
        "id": "42",
        "parameters": {"signature_name": "mixed"},
        "inputs": [
            tensor("a", "FP32", [2, 2], [1, 2, 3, 4]),
            tensor("s", "BYTES", [2], ["p", "q"]),
            tensor("i", "INT32", [2], [5, 6]),
            tensor("b", "BOOL", [2], [True, False]),
        ],
        "outputs": [{"name": "sum"}, {"name": "s_bytes"}],
    }
    answer = server.post("/v2/models/m/infer", json=asked)
    assert answer.json() == {
        "model_name": "m",
        "model_version": "3",
        "id": "42",
        "outputs": [
            tensor("sum", "FP32", [2], [3.0, 7.0]),
            tensor("s_bytes", "BYTES", [2], ["p", "q"]),
        ],
    }


def test_tensors_as_bytes(server):
    texts = b"".join(struct.pack("<I", len(each)) + each for each in (b"\xff\x00", b""))
    parts = [
        ("a", "FP32", [2, 2], np.array([[1, 2], [3, 4]], "<f4").tobytes()),
        ("s", "BYTES", [2], texts),
        ("i", "INT32", [2], np.array([5, 6], "<i4").tobytes()),
        ("b", "BOOL", [2], b"\x01\x00"),
    ]
    inputs = [
        {
            "name": name,
            "datatype": kind,
            "shape": shape,
            "parameters": {"binary_data_size": len(data)},
        }
        for name, kind, shape, data in parts
    ]
    asked = {
        "parameters": {"signature_name": "mixed", "binary_data_output": True},
        "inputs": inputs,
    }
    head = json.dumps(asked).encode()
    answer = server.post(
        "/v2/models/m/infer",
        content=head + b"".join(data for *_, data in parts),
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    assert answer.status_code == 200, answer.text
    length = int(answer.headers["inference-header-content-length"])
    described = json.loads(answer.content[:length])
    behind, found = answer.content[length:], {}
    for each in described["outputs"]:
        size = each["parameters"]["binary_data_size"]
        found[each["name"], each["datatype"]], behind = behind[:size], behind[size:]
    assert behind == b""
    assert found["sum", "FP32"] == np.array([3, 7], "<f4").tobytes()
    assert found["s_bytes", "BYTES"] == texts
    assert found["b", "BOOL"] == b"\x01\x00"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no 'inputs'"),
        ({"inputs": [tensor("x", "FP31", [1], [1])]}, 'datatype "FP31"'),
        ({"inputs": [tensor("x", "FP32", [2], [1])]}, "has 1 values. Its shape [2] needs 2"),
        ({"inputs": [tensor("x", "FP32", [-1], [1])]}, "is a list of sizes"),
        (
            {"inputs": [tensor("x", "FP64", [1], [1])]},
            "is float32 of the shape [-1]. Received: float64",
        ),
        ({"inputs": [tensor("x", "FP32", [1], ["a"])]}, "not of expected type: float32"),
        ({"inputs": [tensor("y", "FP32", [1], [1])]}, "needs the input 'x'"),
        ({"inputs": [tensor("x", "FP32", [1], [1])] * 2}, "occurs twice"),
        ({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1]}]}, "has no 'data'"),
        (
            {"inputs": [tensor("x", "FP32", [1], [1])], "outputs": [{"name": "hlaf"}]},
            "has no output 'hlaf'. Did you mean 'half'?",
        ),
        (
            {"inputs": [tensor("x", "FP32", [1], []) | {"parameters": {"binary_data_size": 4}}]},
            "binary_data_size 4, and 0 bytes",
        ),
    ],
)
def test_what_is_wrong_is_said(server, content, message):
    answer = server.post("/v2/models/m/infer", json={**HALVE, **content})
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]


def test_unknown_models(server):
    asked = {**HALVE, "inputs": [tensor("x", "FP32", [1], [1])]}
    assert server.post("/v2/models/n/infer", json=asked).status_code == 404
    assert "no label 'champion'" in server.get("/v2/models/m/versions/champion").json()["error"]
