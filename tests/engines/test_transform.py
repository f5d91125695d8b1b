"""Transform on Beam, some of the user's code on the workers, against the local driver."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from penstock.artifacts import Examples, Schema
from penstock.components import CsvExampleGen, StatisticsGen, Transform
from penstock.data_validation import infer_schema, load_stats_binary, write_schema_text
from penstock.io import (
    ExamplesSplit,
    TFRecordWriter,
    read_record_batches,
    read_row_counts,
    split_files,
)
from penstock.io.examples.messages import sequence_example_class
from penstock.testing import run_component

pytestmark = pytest.mark.tensorflow

EVERGREENS = {"cedar", "fir", "pine", "yew"}


@pytest.fixture(scope="module")
def inputs(few_trees, tmp_path_factory):
    """Examples in two shards, and their schema."""
    from penstock.beam import ingestion

    root = tmp_path_factory.mktemp("inputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingestion, "INPUT_BYTES_A_SHARD", 30_000)
        component = CsvExampleGen(input_base=str(few_trees))
        component = component.with_beam_pipeline_args(["--runner=FnApiRunner"])
        examples = run_component(component, root, project_root=root)["examples"]
    assert len(split_files(examples.uri, "train")) == 2
    uri = run_component(StatisticsGen(examples=examples), root)["statistics"].uri
    schema = infer_schema(load_stats_binary(f"{uri}/Split-train/FeatureStats.pb"))
    write_schema_text(schema, f"{root}/schema/schema.pbtxt")
    return examples, Schema(f"{root}/schema")


def transform(inputs, project: Path, root: Path, engine=(), **parameters):
    examples, schema = inputs
    component = Transform(
        examples=examples,
        schema=schema,
        module_file="forest/features.py",
        custom_config={"count_evergreens": parameters.pop("count_evergreens", False)},
        disable_analyzer_cache=True,
        **parameters,
    ).with_beam_pipeline_args(engine)
    return run_component(component, root, project_root=project)


def rows(examples, split: str) -> dict[str, np.ndarray]:
    """The columns of a split, sorted by all of them; each engine writes another file format."""
    batches = list(ExamplesSplit.of(examples, split).batches())
    names = sorted(batches[0].schema.names)
    columns = [
        np.concatenate([b.column(name).flatten().to_numpy(zero_copy_only=False) for b in batches])
        for name in names
    ]
    order = np.lexsort([np.round(column.astype(float), 4) for column in columns])
    return {name: column[order] for name, column in zip(names, columns, strict=True)}


@pytest.fixture(scope="module")
def local(inputs, project, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(project))
        return transform(inputs, project, tmp_path_factory.mktemp("local"))


def test_the_same_rows_vocabulary_buckets_and_statistics(
    inputs, local, project, engine, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(str(project))
    found = transform(inputs, project, tmp_path, engine, output_file_format="parquet")
    vocabulary = "transform_fn/assets/kinds"
    assert (Path(found["transform_graph"].uri) / vocabulary).read_bytes() == (
        Path(local["transform_graph"].uri) / vocabulary
    ).read_bytes()
    for split in ("train", "eval"):
        expected = rows(local["transformed_examples"], split)
        transformed = rows(found["transformed_examples"], split)
        assert list(transformed) == list(expected) == ["height_bucket", "height_z", "kind_index"]
        np.testing.assert_array_equal(transformed["height_bucket"], expected["height_bucket"])
        np.testing.assert_array_equal(transformed["kind_index"], expected["kind_index"])
        np.testing.assert_allclose(transformed["height_z"], expected["height_z"], atol=1e-6)
    counts = read_row_counts(inputs[0].uri)
    assert read_row_counts(found["transformed_examples"].uri) == counts
    for key in ("pre_transform_stats", "post_transform_stats"):
        one, other = (
            load_stats_binary(f"{each[key].uri}/FeatureStats.pb") for each in (local, found)
        )
        assert [(d.name, d.num_examples) for d in other.datasets] == [
            (d.name, d.num_examples) for d in one.datasets
        ]
    for key in ("pre_transform_schema", "post_transform_schema"):
        files = [Path(each[key].uri) / "schema.pbtxt" for each in (local, found)]
        assert files[0].read_text() == files[1].read_text()


SEQUENCES = """
feature { name: "age" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature {
  name: "##SEQUENCE##" type: STRUCT
  struct_domain { feature { name: "words" type: BYTES } }
}
"""


def test_sequences_in_two_spans(project, engine, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(project))
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "schema.pbtxt").write_text(SEQUENCES)
    spans = []
    for span in range(2):
        folder = tmp_path / f"span-{span}" / "Split-train"
        folder.mkdir(parents=True)
        with TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz")) as writer:
            for row in range(20):
                message = sequence_example_class()()
                message.context.feature["age"].float_list.value.append(row + 10 * span)
                for length in range(row % 3):
                    words = message.feature_lists.feature_list["words"].feature.add()
                    words.bytes_list.value.extend([b"a", b"b", b"c"][: length + 1])
                writer.write(message.SerializeToString(deterministic=True))
        examples = Examples(str(folder.parent))
        examples.splits = ["train"]
        examples.custom_properties["payload_format"] = "FORMAT_TF_SEQUENCE_EXAMPLE"
        spans.append(examples)
    found = {}
    for name, args in (("local", ()), ("beam", engine)):
        component = Transform(
            examples=spans,
            schema=Schema(str(tmp_path / "schema")),
            preprocessing_fn="forest.features.of_sequences",
        ).with_beam_pipeline_args(args)
        found[name] = run_component(component, tmp_path / name, project_root=project)
    written = {}
    for name, outputs in found.items():
        examples = outputs["transformed_examples"]
        assert read_row_counts(examples.uri) == {"train": 40}
        batches = read_record_batches(split_files(examples.uri, "train"))
        written[name] = sorted(str(row) for batch in batches for row in batch.to_pylist())
    assert written["beam"] == written["local"]
    statistics = [
        load_stats_binary(f"{outputs['pre_transform_stats'].uri}/FeatureStats.pb")
        for outputs in found.values()
    ]
    paths = [[tuple(f.path.step) for f in each.datasets[0].features] for each in statistics]
    assert paths[0] == paths[1]
    assert ("##SEQUENCE##", "words") in paths[1]


def test_an_analyzer_of_the_users_own_runs_on_the_workers(
    inputs, project, remote_engine, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(str(project))
    found = transform(inputs, project, tmp_path, remote_engine, count_evergreens=True)
    batches = read_record_batches(split_files(inputs[0].uri, "train"))
    kinds = [kind.decode() for b in batches for kind in b.column("kind").flatten().to_pylist()]
    expected = sum(kind in EVERGREENS for kind in kinds)
    assert set(rows(found["transformed_examples"], "eval")["evergreens"].tolist()) == {expected}
    statistics = load_stats_binary(f"{found['pre_transform_stats'].uri}/FeatureStats.pb")
    assert [(d.name, d.num_examples) for d in statistics.datasets] == [
        ("All Examples", len(kinds)),
        ("evergreen", expected),
    ]


def test_another_graph_in_the_same_folder_is_loaded_anew(inputs, tmp_path):
    import tensorflow as tf

    from penstock.beam import BeamSetup, transform_on_beam
    from penstock.data_validation import load_schema_text
    from penstock.transform import TransformFolders
    from penstock.transform import transform as analyze

    examples, schema_artifact = inputs
    schema = load_schema_text(f"{schema_artifact.uri}/schema.pbtxt")
    shards = [ExamplesSplit("train", split_files(examples.uri, "train"))]
    graph = tmp_path / "graph"
    for number in (1, 2):
        shutil.rmtree(graph, ignore_errors=True)
        analyze(
            preprocessing_fn=lambda raw, number=number: {
                "number": tf.fill([tf.shape(raw["kind"])[0]], np.int64(number))
            },
            schema=schema,
            analyze=shards,
            transform=[],
            folders=TransformFolders(str(graph)),
        )
        out = str(tmp_path / f"out-{number}")
        engine = BeamSetup(("--runner=FnApiRunner",), str(tmp_path), str(tmp_path), {})
        transform_on_beam(engine, {"train": shards[0]}, schema, str(graph), out, str(tmp_path))
        (batch, *_) = read_record_batches(split_files(out, "train"))
        assert batch.column("number").to_pylist() == [[number]] * batch.num_rows
