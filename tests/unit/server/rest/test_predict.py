"""TensorFlow Serving's predict, asked over HTTP of a server in a process of its own."""

from __future__ import annotations

import base64
import json

import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]


def example(**values) -> dict[str, str]:
    import tensorflow as tf

    made = tf.train.Example()
    for name, value in values.items():
        feature = made.features.feature[name]
        if isinstance(value, str):
            feature.bytes_list.value.append(value.encode())
        else:
            feature.float_list.value.append(value)
    return {"b64": base64.b64encode(made.SerializeToString()).decode()}


def test_rows_of_examples(server):
    rows = [example(x=0.1, kind="b"), example(x=3.0)]
    answer = server.post("/v1/models/m:predict", json={"instances": rows})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "predictions": [
            {"double": [0.2], "index": 2, "kind": "b", "n": 7},
            {"double": [6.0], "index": -1, "kind": "none", "n": 7},
        ]
    }


def test_columns_and_rows_of_several_inputs(server):
    row = {"a": [1, 2.5], "s": "é", "i": 3, "b": True}
    named = {"signature_name": "mixed", "instances": [row, row]}
    text = {"b64": base64.b64encode("é".encode()).decode()}
    assert server.post("/v1/models/m/versions/3:predict", json=named).json() == {
        "predictions": [{"sum": 3.5, "s_bytes": text, "i": 3, "b": True}] * 2
    }
    columns = {name: [value] for name, value in row.items()}
    asked = {"signature_name": "mixed", "inputs": columns}
    assert server.post("/v1/models/m:predict", json=asked).json() == {
        "outputs": {"sum": [3.5], "s_bytes": [text], "i": [3], "b": [True]}
    }


def test_one_output_has_no_name_and_numbers_may_be_not_finite(server):
    body = b'{"signature_name": "halve", "instances": [NaN, -Infinity, 0.2, 1]}'
    text = server.post("/v1/models/m:predict", content=body).text
    assert text == '{"predictions": [NaN, -Infinity, 0.1, 0.5]}'
    asked = {"signature_name": "halve", "inputs": {"x": [4]}}
    assert server.post("/v1/models/m:predict", json=asked).json() == {"outputs": [2.0]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The document is empty"),
        (b"{", "JSON Parse error"),
        (b"[1]", "Is not object"),
        (b"[" * 100_000, "JSON Parse error"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"instances": [1], "inputs": [1]}, "expecting only one of"),
        ({"instances": 1}, "Expecting 'instances' to be an list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": [1], "signature_name": 3}, "must be a string value"),
        ({"instances": ["1"], "signature_name": "halve"}, "not of expected type: float32"),
        ({"instances": [True], "signature_name": "halve"}, "not of expected type: float32"),
        ({"instances": [[1], [1, 2]], "signature_name": "halve"}, "different sizes"),
        (
            {"instances": [[1]], "signature_name": "halve"},
            "of the shape [-1]. Received: float32 of",
        ),
        ({"instances": [16777217], "signature_name": "halve"}, "without loss of precision"),
        ({"instances": [1e40], "signature_name": "halve"}, "without loss of precision"),
        ({"instances": [{"b64": "!"}]}, "Unable to base64 decode"),
        ({"instances": [{"b64": "AAAA"}]}, "Could not parse example input"),
        ({"instances": [{"x": 1}], "signature_name": "mixed"}, "keys must be equal to: a,b,i,s"),
        ({"instances": [1], "signature_name": "mixed"}, "expecting list of objects"),
        ({"instances": [1, {"x": 1}], "signature_name": "halve"}, "got object at item 1"),
        ({"inputs": {"y": [1]}, "signature_name": "halve"}, "Missing named input: x"),
    ],
)
def test_what_is_wrong_is_said(server, body, message):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = server.post("/v1/models/m:predict", content=content)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/v1/models/n:predict", 404, "There is no model 'n'"),
        ("/v1/models/m/versions/9:predict", 404, "Version 9 of 'm' is not served. Versions: 3"),
        ("/v1/models/m/labels/canary:predict", 404, "'m' has no label 'canary'"),
        ("/v1/models/m:explode", 400, "Malformed request: POST /v1/models/m:explode"),
        ("/v1/models/m", 400, "Malformed request: POST /v1/models/m"),
    ],
)
def test_what_does_not_exist_is_said(server, path, status, message):
    answer = server.post(path, json={"instances": [1]})
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_an_unknown_signature_lists_those_that_exist(server):
    answer = server.post("/v1/models/m:predict", json={"instances": [1], "signature_name": "hlave"})
    assert answer.status_code == 404
    assert "Did you mean 'halve'? Signatures: classes, halve" in answer.json()["error"]


def test_status(server):
    expected = {
        "model_version_status": [
            {
                "version": "3",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    assert server.get("/v1/models/m").json() == expected
    assert server.get("/v1/models/m/versions/3").json() == expected
    missing = server.get("/v1/models/m/versions/4")
    assert (missing.status_code, missing.json()) == (
        404,
        {"error": "Could not find version 4 of model m"},
    )
