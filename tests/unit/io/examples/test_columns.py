"""Splits as NumPy arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from penstock.artifacts import Examples
from penstock.io import ExamplesSplit, ExamplesWriter, read_columns


def test_each_shape_of_a_feature(tmp_path):
    columns = {
        "whole": pa.array([[1], [2], [3]], pa.large_list(pa.int64())),
        "gaps": pa.array([[1], None, [3]], pa.large_list(pa.int64())),
        "real": pa.array([[0.5], [], [2.5]], pa.large_list(pa.float32())),
        "text": pa.array([[b"a"], None, [b"\xff"]], pa.large_list(pa.binary())),
        "pixels": pa.array([[1, 2], [3, 4], [5, 6]], pa.large_list(pa.int64())),
        "tags": pa.array([[b"x"], [], [b"y", b"z"]], pa.large_list(pa.binary())),
    }
    with ExamplesWriter(str(tmp_path), ["train"]) as writer:
        writer.write("train", pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))
    examples = Examples(str(tmp_path))
    examples.splits = ["train"]
    split = ExamplesSplit.of(examples, "train")
    found = read_columns(split)
    assert found["whole"].tolist() == [1, 2, 3]
    assert found["whole"].dtype == np.int64
    np.testing.assert_array_equal(found["gaps"], [1, np.nan, 3])
    np.testing.assert_array_equal(found["real"], np.array([0.5, np.nan, 2.5], np.float32))
    assert found["real"].dtype == np.float32
    assert found["text"].tolist() == [b"a", None, b"\xff"]
    assert found["pixels"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert [each.tolist() for each in found["tags"]] == [[b"x"], [], [b"y", b"z"]]
    assert list(read_columns(split, ["whole"])) == ["whole"]


def test_a_feature_that_first_batches_lack_has_its_later_type(tmp_path, monkeypatch):
    columns = {"n": pa.array([None] * 3 + [[7]], pa.large_list(pa.int64()))}
    with ExamplesWriter(str(tmp_path), ["train"]) as writer:
        batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
        writer.write("train", batch)
    examples = Examples(str(tmp_path))
    examples.splits = ["train"]
    split = ExamplesSplit.of(examples, "train")
    parts = list(split.batches(batch_size=2))
    monkeypatch.setattr(ExamplesSplit, "batches", lambda self, **_: iter(parts))
    np.testing.assert_array_equal(read_columns(split)["n"], [np.nan, np.nan, np.nan, 7])
