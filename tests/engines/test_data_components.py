"""Ingestion, statistics, schema and anomalies: the local driver against Beam."""

from __future__ import annotations

import filecmp
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.artifacts import Examples
from penstock.beam import ingestion
from penstock.components import CsvExampleGen, ImportExampleGen, StatisticsGen
from penstock.data_validation import (
    StatsOptions,
    infer_schema,
    load_stats_binary,
    validate_statistics,
)
from penstock.io import read_record_batches, read_row_counts, read_tfrecords, split_files
from penstock.io.ingestion.write_examples import Rows
from penstock.testing import run_component

Histogram = statistics_pb2.Histogram
EPSILON = 0.01


def ingest(source: Path, root: Path, engine: tuple[str, ...] = (), **parameters) -> Examples:
    component = CsvExampleGen(input_base=str(source), **parameters)
    return run_component(component.with_beam_pipeline_args(engine), root, project_root=source)[
        "examples"
    ]


def compute(examples: Examples, root: Path, engine: tuple[str, ...] = (), **parameters):
    component = StatisticsGen(examples=examples, **parameters).with_beam_pipeline_args(engine)
    uri = run_component(component, root, project_root=root)["statistics"].uri
    return {
        split: load_stats_binary(f"{uri}/Split-{split}/FeatureStats.pb")
        for split in examples.splits
    }


def records(examples: Examples, split: str) -> list[bytes]:
    return [row for file in split_files(examples.uri, split) for row in read_tfrecords(file)]


@pytest.fixture(scope="module")
def local(trees, tmp_path_factory) -> Examples:
    return ingest(trees, tmp_path_factory.mktemp("local"))


def test_one_shard_has_the_local_drivers_bytes(trees, local, engine, tmp_path):
    found = ingest(trees, tmp_path, engine)
    assert found.splits == local.splits == ["train", "eval"]
    assert found.custom_properties == local.custom_properties
    names = ["row_counts.json"] + [
        f"Split-{s}/data_tfrecord-00000-of-00001.gz" for s in found.splits
    ]
    assert filecmp.cmpfiles(local.uri, found.uri, names, shallow=False) == (names, [], [])
    assert sum(read_row_counts(found.uri).values()) == 15_000
    assert [path.name for path in Path(found.uri).iterdir() if path.name.startswith(".")] == []


def test_several_shards_have_the_same_rows(trees, local, engine, tmp_path):
    found = ingest(trees, tmp_path, engine, num_shards=3)
    assert read_row_counts(found.uri) == read_row_counts(local.uri)
    for split in local.splits:
        assert len(split_files(found.uri, split)) == 3
        assert sorted(records(found, split)) == sorted(records(local, split))


def test_statistics_schema_and_anomalies(local, trees, engine, tmp_path, monkeypatch):
    expected = compute(local, tmp_path / "local")
    monkeypatch.setattr(ingestion, "INPUT_BYTES_A_SHARD", 200_000)
    found = compute(ingest(trees, tmp_path, engine), tmp_path, engine)
    for split in local.splits:
        assert_same(expected[split], found[split])
        check_quantiles(found[split], local, split)
    schema, schema_on_beam = infer_schema(expected["train"]), infer_schema(found["train"])
    assert schema_on_beam == schema
    strict = strict_schema(schema)
    anomalies = validate_statistics(expected["eval"], strict)
    assert set(anomalies.anomaly_info) == {"kind", "rings", "gone"}
    on_beam = validate_statistics(found["eval"], strict)
    for name, info in anomalies.anomaly_info.items():
        assert [r.type for r in on_beam.anomaly_info[name].reason] == [r.type for r in info.reason]


def strict_schema(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """A schema that the data violates in three ways."""
    strict = schema_pb2.Schema()
    strict.CopyFrom(schema)
    for domain in strict.string_domain:
        if domain.name == "kind":
            domain.value.remove("yew")
    for feature in strict.feature:
        if feature.name == "rings":
            feature.int_domain.max = 5
    text_format.Parse('feature { name: "gone" type: INT presence { min_count: 1 } }', strict)
    return strict


def test_statistics_of_a_sample_count_what_was_read(local, engine, tmp_path):
    options = StatsOptions(sample_rate=0.5)
    once = compute(local, tmp_path / "1", engine, stats_options=options)
    again = compute(local, tmp_path / "2", engine, stats_options=options)
    total = read_row_counts(local.uri)["train"]
    assert once == again
    assert 0.45 * total < once["train"].datasets[0].num_examples < 0.55 * total


def test_bundles_that_are_run_again_count_once(trees, local, tmp_path):
    again = ("--runner=FnApiRunner", "--direct_runner_bundle_repeat=2")
    found = ingest(trees, tmp_path, again)
    assert read_row_counts(found.uri) == read_row_counts(local.uri)
    assert [records(found, split) for split in found.splits] == [
        records(local, split) for split in local.splits
    ]
    expected = compute(local, tmp_path / "local")
    for split, statistics in compute(found, tmp_path, again).items():
        assert_same(expected[split], statistics)


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_records_go_through_import_example_gen(local, engine, tmp_path, file_format):
    source = tmp_path / "records"
    source.mkdir()
    for split in local.splits:
        for number, file in enumerate(split_files(local.uri, split)):
            (source / f"{split}-{number}").write_bytes(Path(file).read_bytes())
    found = {}
    for name, args in (("local", ()), ("beam", engine)):
        component = ImportExampleGen(input_base=str(source), output_file_format=file_format)
        root = tmp_path / name
        found[name] = run_component(
            component.with_beam_pipeline_args(args), root, project_root=tmp_path
        )["examples"]
    assert read_row_counts(found["beam"].uri) == read_row_counts(found["local"].uri)
    for split in ("train", "eval"):
        rows = {
            name: sorted(
                str(row)
                for batch in read_record_batches(
                    split_files(each.uri, split), file_format=file_format
                )
                for row in batch.to_pylist()
            )
            for name, each in found.items()
        }
        assert rows["beam"] == rows["local"]


class FirstTen(CsvExampleGen):
    """One's own rows, from a component that knows how Beam reads its input."""

    def read_rows(self, files, on_broken=None):
        for rows in super().read_rows(files, on_broken):
            yield Rows(rows.batch.slice(0, 10), rows.records[:10])


def test_rows_of_a_subclass_are_its_own(trees, tmp_path):
    component = FirstTen(input_base=str(trees))
    component = component.with_beam_pipeline_args(["--runner=FnApiRunner"])
    found = run_component(component, tmp_path, project_root=trees)["examples"]
    assert sum(read_row_counts(found.uri).values()) == 5 * 10


def test_a_bad_row_fails_with_file_and_line(engine, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "data" / "b.csv").write_text("x,y\n1,2\n3\n")
    with pytest.raises(AssertionError, match=r"b\.csv.*line 3"):
        ingest(tmp_path / "data", tmp_path / "out", engine)


def test_differing_headers_fail(engine, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "data" / "b.csv").write_text("y,x\n1,2\n")
    with pytest.raises(AssertionError, match=r"its header \['y', 'x'\] differs from that of"):
        ingest(tmp_path / "data", tmp_path / "out", engine)


def assert_same(expected, found) -> None:
    """Equal but for the order of floating-point sums, and for what a sketch estimates."""
    (one,), (other,) = expected.datasets, found.datasets
    assert other.num_examples == one.num_examples
    assert [f.path.step[0] for f in other.features] == [f.path.step[0] for f in one.features]
    for a, b in zip(one.features, other.features, strict=True):
        assert b.type == a.type
        assert b.string_stats == a.string_stats
        numbers, others = a.num_stats, b.num_stats
        assert others.common_stats == numbers.common_stats
        for name in ("min", "max", "num_zeros"):
            assert getattr(others, name) == getattr(numbers, name)
        assert others.mean == pytest.approx(numbers.mean, rel=1e-9)
        assert others.std_dev == pytest.approx(numbers.std_dev, rel=1e-9)


def check_quantiles(statistics, examples: Examples, split: str) -> None:
    """Every quantile's rank, and the median's, is within the sketch's stated error."""
    batches = list(read_record_batches(split_files(examples.uri, split)))
    checked = 0
    for feature in statistics.datasets[0].features:
        if not feature.HasField("num_stats"):
            continue
        name = feature.path.step[0]
        values = np.sort(
            np.concatenate(
                [b.column(name).flatten().to_numpy(zero_copy_only=False) for b in batches]
            )
        )
        (histogram,) = [h for h in feature.num_stats.histograms if h.type == Histogram.QUANTILES]
        assert sum(b.sample_count for b in histogram.buckets) == pytest.approx(len(values))
        bounds = [b.high_value for b in histogram.buckets]
        for place, bound in enumerate([*bounds, feature.num_stats.median]):
            wanted = (place + 1) / len(bounds) if place < len(bounds) else 0.5
            low = np.searchsorted(values, bound, side="left") / len(values)
            high = np.searchsorted(values, bound, side="right") / len(values)
            assert low - EPSILON - 1e-3 <= wanted <= high + EPSILON + 1e-3, (name, bound, wanted)
            checked += 1
    assert checked == 4 * 11
