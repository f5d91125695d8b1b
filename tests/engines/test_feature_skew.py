"""Comparing examples: the local driver against Beam."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest

from penstock.artifacts import Examples
from penstock.beam import DetectFeatureSkew, make_pipeline
from penstock.components.example_diff import (
    ExampleDiff,
    ExampleDiffConfig,
    PairedExampleSkew,
)
from penstock.data_validation import detect_feature_skew
from penstock.io import ExamplesWriter, read_tfrecords, split_files
from penstock.testing import run_component

RESULTS = ("skew_stats", "sample_pairs", "match_stats", "confusion")


def table(seed: int) -> pa.RecordBatch:
    """Rows of which some have no identifier, some share one, and some differ by seed."""
    random = np.random.default_rng(seed)
    rows = 500
    identifiers = np.arange(rows) + 20 * seed
    identifiers[:20] = identifiers[100]
    words = random.choice(["a", "b", "c"], rows, p=[0.9, 0.05, 0.05])
    return pa.record_batch(
        {
            "id": pa.array(identifiers, mask=np.arange(rows) % 50 == 49),
            "fare": np.round(identifiers / 7 + random.choice([0, 0.001], rows), 4),
            "kind": words.tolist(),
            "late": pa.array(identifiers, mask=random.random(rows) < 0.1),
        }
    )


@pytest.fixture(scope="module", params=["tfrecords_gzip", "parquet"])
def examples(request, tmp_path_factory) -> list[Examples]:
    found = []
    for seed in (0, 1):
        uri = str(tmp_path_factory.mktemp("examples"))
        with ExamplesWriter(
            uri, ["train"], num_shards=3, file_format=request.param, missing="absent"
        ) as writer:
            writer.write("train", table(seed))
        artifact = Examples(uri)
        artifact.splits = ["train"]
        artifact.custom_properties.update(file_format=request.param)
        found.append(artifact)
    return found


@pytest.mark.parametrize("allow_duplicates", [False, True])
def test_example_diff_writes_the_local_drivers_bytes(examples, engine, tmp_path, allow_duplicates):
    base, test = examples
    config = ExampleDiffConfig(
        PairedExampleSkew(
            ["id"],
            skew_sample_size=7,
            float_round_ndigits=2,
            allow_duplicate_identifiers=allow_duplicates,
            confusion_features=["kind"],
        )
    )
    found = {}
    for name, args in (("local", ()), ("beam", engine)):
        component = ExampleDiff(examples_test=test, examples_base=base, config=config)
        outputs = run_component(
            component.with_beam_pipeline_args(args), tmp_path / name, project_root=tmp_path
        )
        folder = Path(outputs["example_diff_result"].uri, "SplitPair-train_train")
        found[name] = {each.name: each.read_bytes() for each in folder.iterdir()}
    assert found["beam"] == found["local"]
    assert set(found["beam"]) == {f"{name}-00000-of-00001" for name in RESULTS}
    assert all(found["beam"].values())


def test_a_pipeline_of_ones_own(examples, tmp_path):
    if examples[0].custom_properties["file_format"] == "parquet":
        pytest.skip("the records are those of the other format")
    files = [split_files(each.uri, "train") for each in examples]
    with make_pipeline(["--runner=FnApiRunner"]) as pipeline:
        sides = tuple(
            pipeline | f"Files{n}" >> beam.Create(each) | f"Read{n}" >> beam.FlatMap(read_tfrecords)
            for n, each in enumerate(files)
        )
        found = sides | DetectFeatureSkew(["id"], sample_size=3)
        for name, messages in found.items():
            path = str(tmp_path / name)
            _ = messages | f"Write_{name}" >> beam.io.WriteToTFRecord(path, shard_name_template="")
    records = [[row for file in each for row in read_tfrecords(file)] for each in files]
    expected = detect_feature_skew(*records, ["id"], sample_size=3)
    for name, messages in zip(
        RESULTS, (expected.skew, expected.pairs, [expected.match_stats], []), strict=True
    ):
        written = sorted(read_tfrecords(str(tmp_path / name)))
        assert written == sorted(each.SerializeToString(deterministic=True) for each in messages)
    assert len(expected.pairs) == 3


def test_wrong_arguments_are_refused_at_once():
    with pytest.raises(ValueError, match="identifier_features must name at least one feature"):
        DetectFeatureSkew([])
