"""Rows of raw features over HTTP."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.tensorflow, pytest.mark.processes]


def test_rows_are_answered_as_objects(server):
    rows = [{"x": 0.1, "kind": "b"}, {"x": 3, "n": None}, {"x": [1.5], "n": 2}]
    answer = server.post("/v1/models/m:rows", json={"rows": rows})
    assert answer.json() == {
        "model": "m",
        "version": 3,
        "rows": [
            {"double": [0.2], "index": 2, "kind": "b", "n": 7},
            {"double": [6.0], "index": -1, "kind": "none", "n": 7},
            {"double": [3.0], "index": -1, "kind": "none", "n": 2},
        ],
    }
    assert (
        server.post("/v1/models/m/versions/3:rows", json=rows[:1]).json()["rows"]
        == (answer.json()["rows"][:1])
    )
    assert len(server.post("/v1/models/m:rows", json=rows[0]).json()["rows"]) == 1
    assert server.post("/v1/models/m:rows", json=[]).json()["rows"] == []


def test_a_signature_of_tensors_takes_rows_too(server):
    asked = {"signature_name": "halve", "rows": [{"x": 3}, {"x": 5.0}]}
    answer = server.post("/v1/models/m:rows", json=asked)
    assert answer.json()["rows"] == [{"half": 1.5}, {"half": 2.5}]


def test_many_rows(server):
    answer = server.post("/v1/models/m:rows", json=[{"x": i} for i in range(5000)])
    assert [row["double"] for row in answer.json()["rows"]] == [[2.0 * i] for i in range(5000)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"rows": [{"x": 1}, {"kind": "a"}]}, "Row 1 has no value of 'x', which the model needs"),
        (
            {"rows": [{"X": 1}]},
            "Row 0 has no value of 'x', which the model needs. The row has 'X'.",
        ),
        ([{"x": "1"}], "reads 'x' as floats. Received in row 0: '1' (str)"),
        ([{"x": [1, 2]}], "'x' as 1 value per row. Received in row 0: 2 values"),
        ({"rows": [1]}, 'Expected {"rows"'),
        ({"rows": [], "signature": "x"}, "Received: 'signature'"),
        (3, 'Expected {"rows"'),
    ],
)
def test_what_is_wrong_is_said(server, body, message):
    answer = server.post("/v1/models/m:rows", json=body)
    assert answer.status_code == 400, answer.text
    assert message in answer.json()["error"]


def test_metadata(server):
    content = server.get("/v1/models/m/metadata").json()
    assert content["model_spec"] == {"name": "m", "signature_name": "", "version": "3"}
    signatures = content["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "halve", "mixed"} <= set(signatures)
    assert signatures["halve"] == {
        "inputs": {
            "x": {
                "dtype": "DT_FLOAT",
                "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
                "name": "halve_x:0",
            }
        },
        "outputs": signatures["halve"]["outputs"],
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }
