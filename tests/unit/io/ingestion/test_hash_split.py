import hashlib
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.io import (
    HashSplitter,
    Output,
    Split,
    SplitConfig,
    read_csv,
    read_record_batches,
    serialize_examples,
    split_files,
)
from penstock.io.examples.messages import example_class, feature_kind, sequence_example_class
from penstock.io.ingestion.config import Input
from penstock.io.ingestion.hash_split import bucket_of
from penstock.io.tfrecord.records import read_tfrecords

PENGUIN = Path(__file__).resolve().parents[3] / "golden/penguin"
GOLDEN = PENGUIN / "pipeline_root/CsvExampleGen/examples/1"
CSV = PENGUIN / "labelled/penguins_processed.csv"


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=20), st.integers(1, 2**31 - 1))
def test_bucket_is_the_digest_modulo_total(records, total):
    expected = [int(hashlib.sha256(record).hexdigest(), 16) % total for record in records]
    assert bucket_of(records, total).tolist() == expected


def test_all_golden_rows_land_in_their_splits():
    splitter = HashSplitter(Output.default_for(Input()).split_config)
    found = {name: [] for name in splitter.names}
    for batch in read_csv([str(CSV)]):
        records = serialize_examples(batch).to_pylist()
        for record, place in zip(records, splitter.assign(batch, records), strict=True):
            found[splitter.names[place]].append(example_class().FromString(record))
    for split, examples in found.items():
        (shard,) = split_files(str(GOLDEN), split)
        assert examples == [example_class().FromString(r) for r in read_tfrecords(shard)]
    assert {name: len(examples) for name, examples in found.items()} == {"train": 234, "eval": 100}


def test_equal_values_of_the_partition_feature_stay_together():
    batch = pa.record_batch({"user": [b"a", b"b", b"a", b"c"] * 25, "n": list(range(100))})
    config = SplitConfig([Split("x", hash_buckets=1), Split("y", hash_buckets=1)], "user")
    records = serialize_examples(batch).to_pylist()
    places = HashSplitter(config).assign(batch, records).tolist()
    by_user = {}
    for user, place in zip(batch["user"].to_pylist(), places, strict=True):
        by_user.setdefault(user, set()).add(place)
    assert all(len(found) == 1 for found in by_user.values())
    feature = example_class()().features.feature["user"]
    feature.bytes_list.value.append(b"a")
    digest = hashlib.sha256(feature.SerializeToString(deterministic=True)).hexdigest()
    assert by_user[b"a"] == {int(digest, 16) % 2}


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1.5]), "holds floats"),
        (pa.nulls(1), "has no value"),
    ],
)
def test_a_partition_feature_that_cannot_partition_is_refused(column, message):
    batch = pa.RecordBatch.from_arrays([column], ["user"])
    splitter = HashSplitter(SplitConfig([Split("x", hash_buckets=1)], "user"))
    with pytest.raises(ValueError, match=message):
        splitter.assign(batch, [b""])


@pytest.mark.parametrize(
    ("cells", "missing", "refused"),
    [
        ([["a"], None], "empty", False),  # as TFX's CsvExampleGen: a kind without values
        ([["a"], []], "empty", False),
        ([["a"], []], "absent", False),
        ([["a"], None], "absent", True),
        ([["a"], None], "kindless", True),
        ([["a"], []], "kindless", True),
        ([["a"], ["b"]], "kindless", False),
    ],
)
def test_rows_without_the_partition_feature_are_refused_as_by_tfx(cells, missing, refused):
    batch = pa.record_batch({"user": pa.array(cells, pa.large_list(pa.binary())), "n": [1, 2]})
    records = serialize_examples(batch, missing=missing).to_pylist()
    splitter = HashSplitter(SplitConfig([Split("x", hash_buckets=2)], "user"))
    if refused:
        with pytest.raises(ValueError, match="'user': a row has no value of that feature"):
            splitter.assign(batch, records)
    else:
        assert splitter.assign(batch, records).tolist() == [0, 0]


def test_the_partition_feature_of_sequence_examples_is_in_their_context():
    message = sequence_example_class()()
    message.context.feature["user"].bytes_list.value.append(b"a")
    assert feature_kind(message.SerializeToString(), "user") == "bytes_list"
    assert feature_kind(message.SerializeToString(), "other") is None


def test_an_absent_partition_feature_is_named():
    splitter = HashSplitter(SplitConfig([Split("x", hash_buckets=1)], "user"))
    with pytest.raises(ValueError, match=r"'user' is not a feature .* Features: \['n'\]"):
        splitter.assign(pa.record_batch({"n": [1]}), [b""])


def test_golden_shards_are_read_as_batches():
    rows = Counter()
    for split in ("train", "eval"):
        for batch in read_record_batches(split_files(str(GOLDEN), split), batch_size=50):
            assert batch.num_rows <= 50
            rows[split] += batch.num_rows
    assert rows == {"train": 234, "eval": 100}


INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(width=32, allow_nan=False)
COLUMNS = st.integers(1, 6).flatmap(
    lambda rows: st.fixed_dictionaries(
        {
            "i": st.lists(st.none() | INTEGERS, min_size=rows, max_size=rows),
            "f": st.lists(st.none() | FLOATS, min_size=rows, max_size=rows),
            "b": st.lists(st.none() | st.binary(max_size=300), min_size=rows, max_size=rows),
            "l": st.lists(st.none() | st.lists(INTEGERS, max_size=4), min_size=rows, max_size=rows),
        }
    )
)
TYPES = {"i": pa.int64(), "f": pa.float32(), "b": pa.binary(), "l": pa.list_(pa.int64())}
FIELDS = {"i": "int64_list", "f": "float_list", "b": "bytes_list", "l": "int64_list"}


def by_protobuf(row, missing):
    message = example_class()()
    message.features.SetInParent()
    for name, cell in row.items():
        if cell is None and missing == "absent":
            continue
        feature = message.features.feature[name]
        values = cell if isinstance(cell, list) else [] if cell is None else [cell]
        if values or missing != "kindless":
            getattr(feature, FIELDS[name]).SetInParent()
            getattr(feature, FIELDS[name]).value.extend(values)
    return message.SerializeToString(deterministic=True)


@settings(deadline=None)
@given(COLUMNS, st.sampled_from(["empty", "absent", "kindless"]), st.integers(1, 50))
def test_rows_are_hashed_by_their_deterministic_serialization(columns, missing, buckets):
    batch = pa.record_batch({name: pa.array(columns[name], TYPES[name]) for name in columns})
    records = serialize_examples(batch, missing=missing).to_pylist()
    expected = [by_protobuf(row, missing) for row in batch.to_pylist()]
    assert records == expected
    splits = [Split("a", hash_buckets=1), Split("b", hash_buckets=buckets)]
    places = HashSplitter(SplitConfig(splits)).assign(batch, records).tolist()
    assert places == [
        int(int(hashlib.sha256(record).hexdigest(), 16) % (buckets + 1) > 0) for record in expected
    ]
