"""Every kind of statistics, over shards of very different sizes: the local driver against Beam."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.beam import BeamSetup, combine_on_beam
from penstock.data_validation import (
    CrossFeatureStats,
    MutualInformation,
    StatsOptions,
    infer_schema,
    validate_statistics,
)
from penstock.data_validation.statistics.generate import SlicedStatistics
from penstock.data_validation.statistics.shards import statistics_of_shards
from penstock.io import ExamplesWriter, read_record_batches, split_files
from penstock.io.examples.messages import sequence_example_class
from penstock.io.tfrecord.records import TFRecordWriter

SHARDS = {"train": [0, 1, 600, 7, 60], "eval": [40, 0]}
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x20\x00\x00\x00\x10\x08\x02\x00\x00\x00"


def table(rows: int, seed: int) -> pa.RecordBatch:
    """Numbers of which some are missing or not finite, words, lists, and what domains recognize."""
    random = np.random.default_rng(seed)
    numbers = random.normal(3, 1e4, rows)
    numbers[::13] = math.nan
    numbers[::29] = math.inf
    label = random.integers(0, 3, rows)
    return pa.record_batch(
        {
            "number": pa.array(numbers, mask=random.random(rows) < 0.1),
            "count": random.integers(-5, 50, rows),
            "weight": random.gamma(2, size=rows),
            "label": [f"class {each}" for each in label],
            "word": [f"w{each}" for each in np.minimum(random.geometric(0.1, rows) + label, 30)],
            "tags": [[f"t{t}" for t in random.integers(0, 9, each)] for each in label],
            "time": [f"2026-03-{1 + each:02d} 10:20:{each:02d}" for each in label],
            "text": ["The quick brown fox jumps over the lazy dog."] * rows,
            "image": [PNG] * rows,
            "gone": pa.nulls(rows, pa.string()),
        }
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, list[str]]:
    """Shards without a row, with one, and with nearly all."""
    root = tmp_path_factory.mktemp("examples")
    found = {}
    for split, sizes in SHARDS.items():
        found[split] = []
        for number, rows in enumerate(sizes):
            uri = str(root / f"{number}")
            with ExamplesWriter(uri, [split]) as writer:
                if rows:
                    writer.write(split, table(rows, seed=10 * len(split) + number))
            found[split] += split_files(uri, split)
    return found


SCHEMA = text_format.Parse(
    """
    feature { name: "label" type: BYTES }
    feature { name: "word" type: BYTES }
    feature { name: "count" type: INT int_domain { is_categorical: true } }
    feature { name: "tags" type: BYTES }
    sparse_feature { name: "sparse" index_feature { name: "count" } value_feature { name: "tags" } }
    weighted_feature {
      name: "weighed" feature { step: "word" } weight_feature { step: "weight" }
    }
    """,
    schema_pb2.Schema(),
)

OPTIONS = {
    "defaults": StatsOptions(),
    "weights": StatsOptions(weight_feature="weight"),
    "a weight of its own": StatsOptions(per_feature_weight_override={"word": "weight"}),
    "slices": StatsOptions(slicing_config=[{"label": None}, {"word": ["w3"], "label": None}]),
    "schema": StatsOptions(schema=SCHEMA),
    "lift": StatsOptions(schema=SCHEMA, label_feature="label"),
    "domains": StatsOptions(enable_semantic_domain_stats=True),
    "crosses": StatsOptions(generators=[CrossFeatureStats()]),
    "mutual information": StatsOptions(generators=[MutualInformation("label")]),
    "weighted slices of a sample": StatsOptions(
        weight_feature="weight", slicing_config=[{"label": None}], sample_rate=0.5
    ),
    "few values": StatsOptions(num_top_values=3, frequency_threshold=2, num_histogram_buckets=4),
}


def on_beam(engine, files, options, folder: Path, read=read_record_batches):
    totals = combine_on_beam(
        BeamSetup(engine),
        files,
        read,
        functools.partial(SlicedStatistics, options),
        str(folder),
        sample_rate=options.sample_rate,
    )
    for split, sizes in SHARDS.items():
        assert totals[split].rows == sum(sizes)
    return {split: total.result for split, total in totals.items()}


@pytest.mark.parametrize("name", OPTIONS)
def test_all_statistics_are_those_of_the_local_driver(name, files, engine, tmp_path):
    options = OPTIONS[name]
    expected = dict(statistics_of_shards(files, read_record_batches, options, processes=1))
    found = on_beam(engine, files, options, tmp_path)
    assert list(found) == list(expected) == ["train", "eval"]
    for split, statistics in expected.items():
        assert differences(statistics, found[split]) == []
        assert len(statistics.datasets) >= (3 if "slices" in name else 1)


def test_schema_and_anomalies_follow(files, engine, tmp_path):
    expected = dict(statistics_of_shards(files, read_record_batches, StatsOptions(), processes=1))
    found = on_beam(engine, files, StatsOptions(), tmp_path)
    schema = infer_schema(expected["train"])
    assert infer_schema(found["train"]) == schema
    for domain in schema.string_domain:
        if domain.name == "label":
            del domain.value[:1]
    for feature in schema.feature:
        if feature.name == "count":
            feature.int_domain.max = 3
    anomalies = validate_statistics(expected["eval"], schema)
    assert {"count", "label"} <= set(anomalies.anomaly_info)
    assert validate_statistics(found["eval"], schema) == anomalies


def test_a_sample_has_the_same_rows(files, engine, tmp_path):
    options = StatsOptions(sample_rate=0.3)
    expected = dict(statistics_of_shards(files, read_record_batches, options, processes=1))
    found = on_beam(engine, files, options, tmp_path)
    for split, statistics in expected.items():
        (one,), (other,) = statistics.datasets, found[split].datasets
        assert 0 < other.num_examples == one.num_examples < sum(SHARDS[split])
        assert differences(statistics, found[split]) == []


def test_sequences(engine, tmp_path):
    """Lists of lists, of different depth and length in each shard."""
    random = np.random.default_rng(5)
    files = {}
    for split, sizes in SHARDS.items():
        files[split] = []
        for number, rows in enumerate(sizes):
            path = tmp_path / f"{split}-{number}"
            with TFRecordWriter(str(path), "GZIP") as writer:
                writer.write_all([sequence(random) for _ in range(rows)])
            files[split].append(str(path))
    read = functools.partial(read_record_batches, payload_format="FORMAT_TF_SEQUENCE_EXAMPLE")
    expected = dict(statistics_of_shards(files, read, StatsOptions(), processes=1))
    found = on_beam(engine, files, StatsOptions(), tmp_path / "exchange", read)
    for split, statistics in expected.items():
        assert differences(statistics, found[split]) == []
    features = {tuple(f.path.step): f for f in found["train"].datasets[0].features}
    whole = features["##SEQUENCE##",].struct_stats.common_stats
    assert (whole.num_non_missing, whole.tot_num_values) == (668, 668)
    clicks = features["##SEQUENCE##", "clicks"].num_stats.common_stats
    assert clicks.num_missing + clicks.num_non_missing == 668


def sequence(random: np.random.Generator) -> bytes:
    message = sequence_example_class()()
    message.context.feature["user"].int64_list.value.append(int(random.integers(0, 20)))
    for _ in range(random.integers(0, 4)):
        clicks = message.feature_lists.feature_list["clicks"].feature.add()
        clicks.float_list.value.extend(random.normal(size=random.integers(0, 3)))
        words = message.feature_lists.feature_list["words"].feature.add()
        words.bytes_list.value.extend([b"a", b"b"][: random.integers(0, 3)])
    return message.SerializeToString(deterministic=True)


def differences(one: Message, other: Message, where: str = "") -> list[str]:
    """Where two messages differ, but for the order of floating-point sums (1e-9 relative)."""
    found: list[str] = []
    for field in one.DESCRIPTOR.fields:
        place = f"{where}.{field.name}"
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.is_repeated:
            if len(a) != len(b):
                found.append(f"{place}: {len(a)} and {len(b)} items")
                continue
            pairs: Sequence[tuple[object, object]] = list(zip(a, b, strict=True))
        elif field.has_presence and not (one.HasField(field.name) and other.HasField(field.name)):
            if one.HasField(field.name) or other.HasField(field.name):
                found.append(f"{place}: in one only")
            continue
        else:
            pairs = [(a, b)]
        found += unequal(pairs, place)
    return found


def unequal(pairs: Sequence[tuple[object, object]], place: str) -> Iterator[str]:
    for number, (a, b) in enumerate(pairs):
        if isinstance(a, Message):
            yield from differences(a, b, f"{place}[{number}]")
        elif isinstance(a, float):
            if not (math.isnan(a) and math.isnan(b)) and b != pytest.approx(a, rel=1e-9):
                yield f"{place}[{number}]: {a!r} and {b!r}"
        elif a != b:
            yield f"{place}[{number}]: {a!r} and {b!r}"
