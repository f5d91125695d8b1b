"""A request as tf.Examples, without what is masked."""

import numpy as np
import pytest

from penstock.io.examples.messages import example_class
from penstock.server.request_log.masking import masked_by_schema, unknown_names
from penstock.server.request_log.records import Answered, records_of

Example = example_class()


def _answered(**changes):
    values = {
        "request_id": "r1",
        "model": "taxi",
        "version": 7,
        "signature": "serving_default",
        "time": 1_790_000_000.25,
        "inputs": {
            "miles": np.array([[1.5], [2.5]], np.float64),
            "email": np.array([b"a@x", b"b@y"], object),
            "ids": np.array([[1, 2], [3, 4]], np.int32),
        },
        "outputs": {"fare": np.array([[3.0], [5.0]], np.float32), "far": np.array([True, False])},
        "label": "canary",
    }
    return Answered(**(values | changes))


def _rows(answered, mask=()):
    return [_plain(Example.FromString(each)) for each in records_of(answered, mask)]


def _plain(example):
    found = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = list(getattr(feature, kind).value) if kind else None
    return found


def test_a_row_has_its_features_the_answer_and_where_it_came_from():
    assert _rows(_answered())[1] == {
        "miles": [2.5],
        "email": [b"b@y"],
        "ids": [3, 4],
        "served.request_id": [b"r1"],
        "served.row": [1],
        "served.model": [b"taxi"],
        "served.version": [7],
        "served.label": [b"canary"],
        "served.signature": [b"serving_default"],
        "served.time": [1_790_000_000_250_000],
        "served.output.fare": [5.0],
        "served.output.far": [0],
    }


def test_what_is_masked_is_in_no_record():
    for row in _rows(_answered(), {"email", "fare"}):
        assert "email" not in row
        assert "served.output.fare" not in row
        assert row["miles"]
    assert b"a@x" not in b"".join(records_of(_answered(), {"email"}))


def _example(**features):
    example = Example()
    for name, value in features.items():
        example.features.feature[name.replace("__", ".")].bytes_list.value.append(value)
    return example.SerializeToString()


def test_serialized_examples_keep_their_features_without_the_masked_ones():
    examples = np.array([_example(email=b"a@x", city=b"Kiel"), _example(city=b"Ulm")], object)
    answered = _answered(inputs={"examples": examples}, takes_examples=True)

    rows = _rows(answered, {"email"})

    assert [row["city"] for row in rows] == [[b"Kiel"], [b"Ulm"]]
    assert not any("email" in row for row in rows)
    assert rows[1]["served.output.fare"] == [5.0]


def test_a_client_cannot_forge_what_the_server_adds():
    forged = np.array([_example(served__request_id=b"forged", served__x=b"1")], object)
    answered = _answered(inputs={"examples": forged}, takes_examples=True, outputs={})
    (row,) = _rows(answered)
    assert row["served.request_id"] == [b"r1"]
    assert "served.x" not in row


def test_rows_of_a_divided_request_keep_their_places():
    assert [row["served.row"] for row in _rows(_answered(rows=(3, 8)))] == [[3], [8]]


def test_arrays_that_are_not_by_row_are_one_record():
    answered = _answered(
        inputs={"x": np.float32(2.0), "c": np.array([1 + 2j])},
        outputs={"y": np.array([1.0, 2.0, 3.0])},
    )
    (row,) = _rows(answered)
    assert row["x"] == [2.0]
    assert row["served.output.y"] == [1.0, 2.0, 3.0]
    assert "c" not in row


def test_columns_of_any_type_keep_theirs_and_what_is_missing_is():
    numbers = np.array([1.5, None], object)
    texts = np.array(["a", None], object)
    answered = _answered(inputs={"n": numbers, "t": texts}, outputs={"k": np.array([3, 4], object)})
    assert answered.size > 0
    first, second = _rows(answered)
    assert (first["n"], first["t"], first["served.output.k"]) == ([1.5], [b"a"], [3])
    assert not second["t"]
    assert not second["n"]


def test_the_schema_marks_personal_features(tmp_path):
    schema = tmp_path / "schema.pbtxt"
    schema.write_text(
        'feature { name: "email" annotation { tag: "PII" } }\n'
        'feature { name: "miles" annotation { tag: "slow" comment: "pii" } }\n'
        'feature { name: "name" annotation { tag: "x" tag: "pii" } }'
    )
    assert masked_by_schema(str(schema)) == {"email", "name"}
    schema.write_text("feature {")
    with pytest.raises(ValueError, match=r"schema.pbtxt is no schema"):
        masked_by_schema(str(schema))


def test_a_misspelled_mask_is_told():
    assert unknown_names(["email"], ["email", "miles"]) is None
    assert unknown_names(["emial", "x"], ["email", "miles"]) == (
        "mask: 'emial' (did you mean 'email'?), 'x' are no features, inputs or outputs of the model"
    )
