"""Statistics as steps of a pipeline of one's own."""

from __future__ import annotations

import apache_beam as beam
import pyarrow as pa
import pytest

from penstock.beam import (
    GenerateStatistics,
    WriteStatisticsToBinaryFile,
    WriteStatisticsToText,
    WriteStatisticsToTFRecord,
    make_pipeline,
)
from penstock.data_validation import (
    StatsOptions,
    load_statistics,
    load_stats_binary,
    load_stats_text,
    statistics_of_record_batches,
)

BATCHES = [
    pa.record_batch({"n": [[start + row] for row in range(100)], "s": [["a"], ["b"]] * 50})
    for start in range(0, 1000, 100)
]
ARGS = ["--runner=FnApiRunner"]


@pytest.mark.parametrize(
    "options", [StatsOptions(), StatsOptions(slicing_config=[{"s": None}], num_top_values=1)]
)
def test_written_statistics_are_those_of_the_batches(options, tmp_path):
    with make_pipeline(ARGS) as pipeline:
        statistics = pipeline | beam.Create(BATCHES) | GenerateStatistics(options)
        _ = statistics | WriteStatisticsToBinaryFile(str(tmp_path / "binary.pb"))
        _ = statistics | WriteStatisticsToText(str(tmp_path / "stats.pbtxt"))
        _ = statistics | WriteStatisticsToTFRecord(str(tmp_path / "stats.tfrecord"))
    expected = statistics_of_record_batches(BATCHES, options)
    found = load_stats_binary(str(tmp_path / "binary.pb"))
    assert load_stats_text(str(tmp_path / "stats.pbtxt")) == found
    assert load_statistics(str(tmp_path / "stats.tfrecord")) == found
    assert len(found.datasets) == len(expected.datasets)
    for one, other in zip(expected.datasets, found.datasets, strict=True):
        assert other.num_examples == one.num_examples
        for a, b in zip(one.features, other.features, strict=True):
            assert b.string_stats == a.string_stats
            assert b.num_stats.mean == pytest.approx(a.num_stats.mean, rel=1e-9)
            assert (b.num_stats.min, b.num_stats.max) == (a.num_stats.min, a.num_stats.max)


def test_a_sample_is_the_same_when_it_is_drawn_again(tmp_path):
    counts = []
    for number in range(2):
        path = str(tmp_path / f"{number}.pb")
        with make_pipeline(ARGS) as pipeline:
            _ = (
                pipeline
                | beam.Create(BATCHES)
                | GenerateStatistics(StatsOptions(sample_rate=0.3))
                | WriteStatisticsToBinaryFile(path)
            )
        counts.append(load_stats_binary(path).datasets[0].num_examples)
    assert counts[0] == counts[1]
    assert 200 < counts[0] < 400


def test_no_batches_are_a_data_set_without_rows(tmp_path):
    path = str(tmp_path / "none.pb")
    with make_pipeline(ARGS) as pipeline:
        _ = pipeline | beam.Create([]) | GenerateStatistics() | WriteStatisticsToBinaryFile(path)
    (dataset,) = load_stats_binary(path).datasets
    assert (dataset.num_examples, list(dataset.features)) == (0, [])


def test_other_options_are_refused():
    with pytest.raises(TypeError, match=r"options must be StatsOptions. Received: options=\{\}"):
        GenerateStatistics({})
