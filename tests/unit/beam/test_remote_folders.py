"""Outputs in an object store: nothing there can be renamed or made a folder of."""

from __future__ import annotations

import functools

import fsspec
import pytest

from penstock.beam import BeamSetup, CsvInput, combine_on_beam, write_examples_on_beam
from penstock.data_validation import StatsOptions, load_stats_binary, write_stats_binary
from penstock.data_validation.statistics.generate import SlicedStatistics
from penstock.io import read_record_batches, read_row_counts, split_files
from penstock.io.csv.reader import CsvFiles
from penstock.io.ingestion.config import Output, Split, SplitConfig

IN_MEMORY = BeamSetup(("--runner=FnApiRunner",))
SPLITS = Output(SplitConfig([Split("train", hash_buckets=1), Split("eval", hash_buckets=1)]))


@pytest.fixture
def bucket():
    yield "memory://bucket"
    fsspec.filesystem("memory").rm("/bucket", recursive=True)


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_examples_and_statistics_in_an_object_store(bucket, file_format):
    with fsspec.open(f"{bucket}/data/a.csv", "w") as file:
        file.write("x,y\n" + "".join(f"{row},{row % 3}\n" for row in range(50)))
    uri = f"{bucket}/examples"
    files = {"single_split": [f"{bucket}/data/a.csv"]}
    reader = CsvInput(functools.partial(CsvFiles, delimiter=","))
    counts = write_examples_on_beam(IN_MEMORY, files, reader, SPLITS, uri, file_format)
    assert sum(counts.values()) == 50
    assert read_row_counts(uri) == counts
    read = functools.partial(read_record_batches, file_format=file_format)
    shards = {split: split_files(uri, split) for split in counts}
    make = functools.partial(SlicedStatistics, StatsOptions())
    totals = combine_on_beam(IN_MEMORY, shards, read, make, f"{bucket}/statistics")
    assert {split: total.rows for split, total in totals.items()} == counts
    path = f"{bucket}/statistics/Split-train/FeatureStats.pb"
    write_stats_binary(totals["train"].result, path)
    assert load_stats_binary(path).datasets[0].num_examples == counts["train"]
    assert not [path for path in fsspec.filesystem("memory").find("/bucket") if "/.beam" in path]
