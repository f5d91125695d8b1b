"""The driver end to end, on TFX's own golden data and on small data of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.io import ExamplesSplit, read_record_batches, read_tfrecords, split_files
from penstock.transform import Observers, TransformFolders, transform

pytestmark = pytest.mark.tensorflow

GOLDEN = Path(__file__).resolve().parents[2] / "golden/penguin/pipeline_root"
MEASUREMENTS = ("culmen_length_mm", "culmen_depth_mm", "flipper_length_mm", "body_mass_g")


def penguin_fn(inputs):
    import tensorflow_transform as tft

    outputs = {f"{name}_xf": tft.scale_to_z_score(inputs[name]) for name in MEASUREMENTS}
    return outputs | {"species_xf": inputs["species"]}


def columns_of(files: list[str]) -> dict[str, np.ndarray]:
    (batch,) = read_record_batches(files)
    return {
        name: batch.column(name).flatten().to_numpy(zero_copy_only=False)
        for name in batch.schema.names
    }


@pytest.fixture
def golden_penguin(tmp_path):
    raw = str(GOLDEN / "CsvExampleGen/examples/1")
    schema = schema_pb2.Schema()
    (schema_file,) = (GOLDEN / "SchemaGen/schema").glob("*/schema.pbtxt")
    text_format.Parse(schema_file.read_text(), schema)
    shards = {split: ExamplesSplit(split, split_files(raw, split)) for split in ("train", "eval")}
    return schema, shards


def test_golden_penguins_come_out_as_from_tfx(golden_penguin, tmp_path):
    schema, shards = golden_penguin
    result = transform(
        preprocessing_fn=penguin_fn,
        schema=schema,
        analyze=[shards["train"]],
        transform=list(shards.values()),
        folders=TransformFolders(str(tmp_path / "graph"), str(tmp_path / "examples")),
    )
    assert result.rows_analyzed == {"train": 234}
    assert result.rows_transformed == {"train": 234, "eval": 100}
    assert result.phases == 1
    golden_graph = GOLDEN / "Transform/transform_graph/6"
    for part in ("metadata", "transformed_metadata"):
        ours = (tmp_path / "graph" / part / "schema.pbtxt").read_text()
        assert ours == (golden_graph / part / "schema.pbtxt").read_text()
    for split in ("train", "eval"):
        ours = columns_of(split_files(str(tmp_path / "examples"), split))
        theirs = columns_of(split_files(str(GOLDEN / "Transform/transformed_examples/6"), split))
        assert list(ours) == sorted(theirs)
        # TFX's shards keep no order: rows are paired by the measurements, to 3 decimals.
        order = [
            np.lexsort([np.round(table[f"{name}_xf"], 3) for name in MEASUREMENTS])
            for table in (ours, theirs)
        ]
        for name in ours:
            np.testing.assert_allclose(ours[name][order[0]], theirs[name][order[1]], atol=2e-6)


def test_neither_beam_nor_legacy_keras_enters_the_process(golden_penguin, tmp_path):
    code = f"""
import json, os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import penstock.transform
assert not any(name in sys.modules for name in ("tensorflow", "pyarrow", "numpy"))
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from penstock.io import ExamplesSplit, split_files
from penstock.transform import TransformFolders, transform
schema = text_format.Parse(open(sys.argv[1]).read(), schema_pb2.Schema())
transform(
    preprocessing_fn=lambda inputs: dict(inputs),
    schema=schema,
    analyze=[ExamplesSplit("train", split_files(sys.argv[2], "train"))],
    transform=[],
    folders=TransformFolders(sys.argv[3]),
)
import tensorflow as tf
print(json.dumps([
    "apache_beam" in sys.modules, os.environ.get("TF_USE_LEGACY_KERAS"), tf.keras.__version__[0]
]))
"""
    (schema_file,) = (GOLDEN / "SchemaGen/schema").glob("*/schema.pbtxt")
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", code, schema_file, GOLDEN / "CsvExampleGen/examples/1", tmp_path],
        env=environment | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [False, None, "3"]


def test_loaded_graph_computes_what_was_materialized(data_set, run, tmp_path):
    import tensorflow as tf
    import tensorflow_transform as tft

    words = ["b", "a", "b", "c", "c", "b", "a", "d"]
    data = data_set({"x": "FLOAT", "word": "BYTES"}, train={"x": range(8), "word": words})

    def fn(inputs):
        score = tft.scale_to_z_score(inputs["x"])
        return {
            "bucket": tft.bucketize(score, 4),
            "word": tft.compute_and_apply_vocabulary(
                inputs["word"], top_k=3, num_oov_buckets=1, vocab_filename="words"
            ),
        }

    result = run(data, fn)
    assert result.phases == 2
    output = tft.TFTransformOutput(str(tmp_path / "out/graph"))
    assert output.vocabulary_by_name("words") == [b"b", b"c", b"a"]
    assert output.vocabulary_size_by_name("words") == 3
    domain = next(f for f in result.transformed_schema.feature if f.name == "word").int_domain
    assert (domain.min, domain.max, domain.is_categorical) == (0, 3, True)

    materialized = columns_of(split_files(str(tmp_path / "out/examples"), "train"))
    raw = {
        "x": tf.constant([[float(x)] for x in range(8)]),
        "word": tf.constant([[word] for word in words]),
    }
    loaded = output.transform_raw_features(raw)
    for name, values in materialized.items():
        np.testing.assert_array_equal(values, loaded[name].numpy().ravel())
    assert materialized["word"].tolist() == [0, 2, 0, 1, 1, 0, 2, 3]
    assert materialized["bucket"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_several_analyzed_splits_count_as_one(data_set, run):
    import tensorflow_transform as tft

    data = data_set({"x": "FLOAT"}, a={"x": [0.0, 1.0]}, b={"x": [5.0, 10.0]}, c={"x": [20.0]})
    seen = []

    def fn(inputs):
        return {"x": tft.scale_to_0_1(inputs["x"])}

    result = run(
        data,
        fn,
        splits=("a", "b", "c"),
        analyze=("a", "b"),
        batch_size=1,
        observers=Observers(
            lambda split, batch: seen.append((split, batch.num_rows)),
            lambda split, batch: seen.append((split, batch.column("x").flatten().to_pylist())),
        ),
    )
    assert result.rows_analyzed == {"a": 2, "b": 2}
    assert result.rows_transformed == {"a": 2, "b": 2, "c": 1}
    assert seen[:4] == [("a", 1), ("a", 1), ("b", 1), ("b", 1)]
    assert seen[4:] == [
        ("a", [0.0]),
        ("a", [pytest.approx(0.1)]),
        ("b", [0.5]),
        ("b", [1.0]),
        ("c", [2.0]),
    ]


def test_raw_batches_are_seen_once_however_many_phases(data_set, run):
    import tensorflow_transform as tft

    data = data_set({"x": "FLOAT"}, train={"x": range(6)})
    rows = []

    def observe(split, batch):
        rows.append(batch.num_rows)

    def two_phases(inputs):
        return {"x": tft.scale_to_0_1(tft.scale_to_z_score(inputs["x"]))}

    assert run(data, two_phases, observers=Observers(raw=observe)).phases == 2
    assert rows == [6]
    assert (
        run(data, lambda inputs: dict(inputs), "none", observers=Observers(raw=observe)).phases == 0
    )
    assert rows == [6, 6]


def test_nothing_is_materialized_unless_asked(data_set, tmp_path):
    data = data_set({"x": "FLOAT"}, train={"x": [1.0]})
    result = transform(
        preprocessing_fn=lambda inputs: {"x": inputs["x"]},
        schema=data.schema,
        analyze=data.splits("train"),
        transform=data.splits("train"),
        folders=TransformFolders(str(tmp_path / "graph")),
    )
    assert result.rows_transformed == {}
    assert sorted(os.listdir(tmp_path)) == ["examples", "graph"]


def test_custom_config_reaches_the_function(data_set, run, tmp_path):
    data = data_set({"x": "FLOAT"}, train={"x": [1.0, 2.0]})

    def fn(inputs, custom_config):
        return {"x": inputs["x"] * custom_config["factor"]}

    run(data, fn, custom_config={"factor": 3.0})
    files = split_files(str(tmp_path / "out/examples"), "train")
    assert columns_of(files)["x"].tolist() == [3.0, 6.0]


def test_two_runs_write_the_same_bytes(data_set, run, tmp_path):
    import tensorflow as tf
    import tensorflow_transform as tft

    words = ["a", "b", "a", "c"]
    data = data_set({"x": "FLOAT", "w": "BYTES"}, train={"x": [1, 2, 3, 4], "w": words})

    def fn(inputs):
        key = tf.reshape(inputs["w"], [-1])
        return {
            "x": tft.bucketize(tft.scale_to_z_score(inputs["x"]), 2),
            "w": tft.compute_and_apply_vocabulary(inputs["w"]),
            "by": tft.scale_to_z_score_per_key(inputs["x"], key, key_vocabulary_filename=""),
        }

    trees = []
    for name in ("one", "two"):
        run(data, fn, name)
        root = tmp_path / name
        trees.append({p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()})
    assert len(trees[0]) >= 9
    assert trees[0] == trees[1]


def test_sparse_output_round_trips(data_set, run, tmp_path):
    import tensorflow as tf

    data = data_set({"x": "INT?"}, train={"x": [[1, 2], None, [3]]})

    def fn(inputs):
        assert isinstance(inputs["x"], tf.SparseTensor)
        return {"x": inputs["x"]}

    run(data, fn)
    (batch,) = read_record_batches(split_files(str(tmp_path / "out/examples"), "train"))
    assert [cell or [] for cell in batch.column("x").to_pylist()] == [[1, 2], [], [3]]


def test_ragged_and_truly_sparse_outputs_round_trip(data_set, run, tmp_path):
    import tensorflow as tf
    import tensorflow_transform as tft

    cells = [[1, 2, 3], None, [4]]
    data = data_set({"x": "INT?"}, train={"x": cells})

    def fn(inputs):
        x = inputs["x"]
        ragged = tf.RaggedTensor.from_sparse(x)
        pairs = tf.stack([ragged, ragged * 10], axis=-1)
        cube = tf.sparse.expand_dims(x, -1)
        cube.set_shape([None, None, 1])
        return {"ragged": ragged, "pairs": pairs, "cube": cube}

    run(data, fn)
    output = tft.TFTransformOutput(str(tmp_path / "out/graph"))
    (file,) = split_files(str(tmp_path / "out/examples"), "train")
    records = list(read_tfrecords(file))
    parsed = tf.io.parse_example(records, output.transformed_feature_spec())
    assert parsed["ragged"].to_list() == [cell or [] for cell in cells]
    assert parsed["pairs"].to_list() == [[[v, 10 * v] for v in cell or []] for cell in cells]
    assert parsed["cube"].values.numpy().tolist() == [1, 2, 3, 4]
    for record in records:
        canonical = tf.train.Example.FromString(record).SerializeToString(deterministic=True)
        assert record == canonical


def test_parquet_holds_the_same_rows(data_set, run, tmp_path):
    """Also features that take several columns; one value a row is a plain column."""
    import pyarrow.parquet as pq
    import tensorflow as tf

    data = data_set(
        {"x": "INT?", "y": "FLOAT"},
        train={"x": [[1, 2, 3], None, [4]], "y": [0.5, 1.5, 2.5]},
        eval={"x": [], "y": []},
    )

    def fn(inputs):
        x = inputs["x"]
        ragged = tf.RaggedTensor.from_sparse(x)
        pairs = tf.stack([ragged, ragged * 10], axis=-1)
        return {"x": x, "pairs": pairs, "y": inputs["y"], "flat": inputs["y"][:, 0]}

    run(data, fn, splits=("train", "eval"))
    run(data, fn, "columns", splits=("train", "eval"), file_format="parquet")
    folder = str(tmp_path / "columns/examples")
    files = split_files(folder, "train")
    assert files[0].endswith("/transformed_examples-00000-of-00001.parquet")
    (expected,) = read_record_batches(split_files(str(tmp_path / "out/examples"), "train"))
    (found,) = read_record_batches(files, file_format="parquet")
    assert {name: found.column(name).to_pylist() for name in found.schema.names} == {
        name: expected.column(name).to_pylist() for name in expected.schema.names
    }
    stored = pq.read_schema(files[0])
    assert str(stored.field("y").type) == str(stored.field("flat").type) == "float"
    (none,) = split_files(folder, "eval")
    assert pq.read_table(none).num_rows == 0


def test_rows_must_come_out_as_they_went_in(data_set, run):
    data = data_set({"x": "FLOAT"}, train={"x": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match=r"one row for each row it gets. Received: 3 rows in"):
        run(data, lambda inputs: {"x": inputs["x"][:2]})


def test_empty_split_is_transformed_to_an_empty_split(data_set, run, tmp_path):
    data = data_set({"x": "FLOAT"}, train={"x": [1.0]}, eval={"x": []})
    result = run(data, lambda inputs: dict(inputs), splits=("train", "eval"))
    assert result.rows_transformed == {"train": 1, "eval": 0}
    (file,) = split_files(str(tmp_path / "out/examples"), "eval")
    assert list(read_tfrecords(file)) == []


def test_no_split_to_analyze(tmp_path):
    with pytest.raises(ValueError, match="at least one split to analyze"):
        transform(
            preprocessing_fn=dict,
            schema=schema_pb2.Schema(),
            analyze=[],
            transform=[],
            folders=TransformFolders(str(tmp_path)),
        )
