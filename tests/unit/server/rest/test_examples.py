"""TensorFlow Serving's classify and regress over HTTP."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]


def test_classify(server):
    asked = {"signature_name": "classes", "examples": [{"x": 0.25}, {"x": [1.0]}]}
    assert server.post("/v1/models/m:classify", json=asked).json() == {
        "results": [[["low", 0.75], ["high", 0.25]], [["low", 0.0], ["high", 1.0]]]
    }


def test_regress_with_a_context(server):
    asked = {"signature_name": "value", "context": {"x": 0.1}, "examples": [{}, {"x": 2.0}]}
    text = server.post("/v1/models/m:regress", json=asked).text
    assert text.replace(" ", "") == '{"results":[0.3,6.0]}'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "key 'examples' is expected"),
        ({"examples": 1}, "Expecting 'examples' value to be an list/array"),
        ({"examples": []}, "'examples' value is an empty array"),
        ({"examples": [1]}, "Example must be JSON object but got JSON 1"),
        ({"examples": [{"x": None}]}, "unexpected JSON type: null"),
        (
            {"examples": [{"x": [1, 0.5]}]},
            "Unexpected element type in feature: x expecting type: int64",
        ),
        ({"examples": [{"x": 2**63}]}, "Only int64 is supported"),
        ({"examples": [{"x": 1e39}]}, "without loss of precision"),
        ({"examples": [{"x": 1}]}, "x"),
        ({"examples": [{"x": 0.5}], "signature_name": "halve"}, "outputs"),
    ],
)
def test_what_is_wrong_is_said(server, body, message):
    answer = server.post("/v1/models/m:classify", json={"signature_name": "classes", **body})
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]
