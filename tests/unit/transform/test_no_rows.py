"""Splits and shards without a row."""

from __future__ import annotations

import logging

import pytest

from penstock.io import ExamplesSplit, read_record_batches, split_files
from penstock.transform import AnalysisElsewhere, TransformFolders, TransformResult, transform

pytestmark = pytest.mark.tensorflow

FEATURES = {"x": "FLOAT", "n": "INT", "word": "BYTES", "maybe": "FLOAT?"}
ROWS = {"x": [1.0, 3.0], "n": [4, 6], "word": ["a", "b"], "maybe": [5.0, None]}
NO_ROWS: dict[str, list[object]] = {name: [] for name in FEATURES}


def analyzers(inputs):
    """One analyzer of each kind of accumulator."""
    import tensorflow as tf
    import tensorflow_transform as tft

    x, n = inputs["x"], inputs["n"]
    key = tf.reshape(inputs["word"], [-1])
    return {
        "less_mean": x - tft.mean(x),
        "less_sum": n - tft.sum(n),
        "z": tft.scale_to_z_score(x),
        "unit": tft.scale_to_0_1(x),
        "bucket": tft.bucketize(x, 3),
        "gaussian": tft.scale_to_gaussian(x),
        "word": tft.compute_and_apply_vocabulary(inputs["word"], vocab_filename="words"),
        "by_key": tft.scale_to_z_score_per_key(
            tf.reshape(x, [-1]), key, key_vocabulary_filename="keys"
        )[:, tf.newaxis],
        "maybe": tft.scale_to_z_score(inputs["maybe"]),
    }


def columns(folder, split):
    (batch,) = read_record_batches(split_files(str(folder), split))
    return {name: batch.column(name).to_pylist() for name in batch.schema.names}


@pytest.fixture
def data(data_set):
    return data_set(FEATURES, train=NO_ROWS, eval=ROWS)


def test_analyzers_have_the_values_for_no_data(data, run, tmp_path, caplog):
    with caplog.at_level(logging.WARNING, "penstock"):
        result = run(data, analyzers, splits=("train", "eval"))
    assert caplog.text.count("There are no rows to analyze in ['train']") == 1
    assert result.rows_analyzed == {"train": 0}
    assert result.rows_transformed == {"train": 0, "eval": 2}
    found = columns(tmp_path / "out/examples", "eval")
    # TensorFlow Transform's own; see test_as_on_beam. A word that no vocabulary has is -1.
    assert found["less_mean"] == [[1.0], [3.0]]
    assert found["less_sum"] == [[4], [6]]
    assert found["z"] == [[1.0], [3.0]]
    assert found["word"] == [[-1], [-1]]
    assert found["maybe"] == [[5.0], []]


@pytest.mark.slow
def test_as_on_beam(data, run, tmp_path):
    results = [
        run(
            data,
            analyzers,
            name,
            splits=("train", "eval"),
            elsewhere=AnalysisElsewhere(always=name == "beam"),
        )
        for name in ("local", "beam")
    ]
    assert results[0].transformed_schema == results[1].transformed_schema
    local, beam = (columns(tmp_path / name / "examples", "eval") for name in ("local", "beam"))
    assert local.keys() == beam.keys()
    for name, cells in local.items():
        for cell, other in zip(cells, beam[name], strict=True):
            assert cell == (other if other is None else pytest.approx(other, nan_ok=True)), name


def test_analyzer_that_needs_a_row(data, run):
    import tensorflow as tf
    import tensorflow_transform as tft

    def by_key(inputs):
        x, key = (tf.reshape(inputs[name], [-1]) for name in ("x", "word"))
        return {"x": tft.scale_to_z_score_per_key(x, key)[:, tf.newaxis]}

    with pytest.raises(ValueError, match="slice index 0") as failure:
        run(data, by_key)
    assert any("no rows to analyze in ['train']" in note for note in failure.value.__notes__)


def test_one_shard_of_several_is_empty(data_set, run, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq
    import tensorflow_transform as tft

    data = data_set({"x": "FLOAT"}, empty={"x": []}, full={"x": [1.0, 3.0]})
    files = [
        file for split in ("empty", "full", "empty") for file in split_files(str(data.root), split)
    ]
    tables = [str(tmp_path / f"{number}.parquet") for number in range(3)]
    for file, cells in zip(tables, ([], [1.0, 3.0], []), strict=True):
        pq.write_table(pa.table({"x": pa.array(cells, pa.float32())}), file)
    pq.write_table(pa.table({"y": pa.array([], pa.null())}), tables[2])

    def analyze(split: ExamplesSplit, name: str) -> TransformResult:
        return transform(
            preprocessing_fn=lambda inputs: {"x": inputs["x"] - tft.mean(inputs["x"])},
            schema=data.schema,
            analyze=[split],
            transform=[split],
            folders=TransformFolders(
                str(tmp_path / name / "graph"), str(tmp_path / name / "examples")
            ),
        )

    for name, split in {
        "records": ExamplesSplit("train", files),
        "tables": ExamplesSplit("train", tables, "parquet"),
    }.items():
        assert analyze(split, name).rows_analyzed == {"train": 2}
        assert columns(tmp_path / name / "examples", "train") == {"x": [[-1.0], [1.0]]}
    assert analyze(ExamplesSplit("train", []), "none").rows_transformed == {"train": 0}
