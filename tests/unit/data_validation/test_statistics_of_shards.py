"""Statistics of shards, in one process and in several."""

import functools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from penstock.data_validation import (
    StatsOptions,
    generate_statistics_from_csv,
    statistics_of_record_batches,
)
from penstock.data_validation.statistics import shard_parts
from penstock.data_validation.statistics.shard_parts import ExamplesReader
from penstock.data_validation.statistics.shards import statistics_of_shards
from penstock.io import ExamplesWriter, read_record_batches, split_files


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = str(tmp_path_factory.mktemp("examples"))
    random = np.random.default_rng(1)
    with ExamplesWriter(uri, ["train", "eval"], shard_bytes=20_000) as writer:
        for start in range(0, 6000, 500):
            numbers = random.normal(size=500)
            words = random.integers(0, 900, size=500)
            batch = pa.record_batch(
                {
                    "number": pa.array(numbers, mask=random.random(500) < 0.1),
                    "word": [f"w{word}" for word in words.tolist()],
                    "row": pa.array(range(start, start + 500)),
                    "late": pa.array([None if start < 4000 else "here"] * 500, pa.string()),
                }
            )
            writer.write("train", batch)
            writer.write("eval", batch.slice(0, 100))
    return uri


def _files(uri: str) -> dict[str, list[str]]:
    return {split: split_files(uri, split) for split in ("train", "eval")}


_read = functools.partial(read_record_batches, batch_size=300)


@pytest.mark.parametrize("options", [StatsOptions(), StatsOptions(sample_rate=0.5)])
def test_the_number_of_processes_does_not_show(examples: str, options: StatsOptions) -> None:
    files = _files(examples)
    assert len(files["train"]) > 3
    alone = dict(statistics_of_shards(files, _read, options, processes=1))
    together = dict(statistics_of_shards(files, _read, options, processes=2))
    assert list(together) == ["train", "eval"]
    for split, statistics in alone.items():
        assert together[split].SerializeToString(deterministic=True) == (
            statistics.SerializeToString(deterministic=True)
        )


def test_merged_shards_are_the_whole(examples: str) -> None:
    files = _files(examples)
    (whole,) = statistics_of_record_batches(_read(files["train"])).datasets
    merged = dict(statistics_of_shards(files, _read, StatsOptions(), processes=2))
    (parts,) = merged["train"].datasets
    assert parts.num_examples == whole.num_examples == 6000
    for mine, theirs in zip(parts.features, whole.features, strict=True):
        assert mine.path == theirs.path
        assert mine.type == theirs.type
        assert mine.string_stats == theirs.string_stats
        for name in ("min", "max", "num_zeros"):
            assert getattr(mine.num_stats, name) == getattr(theirs.num_stats, name)
        assert mine.num_stats.mean == pytest.approx(theirs.num_stats.mean, rel=1e-9)
        assert mine.num_stats.std_dev == pytest.approx(theirs.num_stats.std_dev, rel=1e-9)


def test_every_shard_draws_its_own_sample(examples: str) -> None:
    files = _files(examples)
    half = StatsOptions(sample_rate=0.5)
    sampled = dict(statistics_of_shards(files, _read, half))
    assert 2700 < sampled["train"].datasets[0].num_examples < 3300


def test_a_reader_that_cannot_be_pickled_works_too(examples: str) -> None:
    files = _files(examples)
    options = StatsOptions()
    statistics = dict(statistics_of_shards(files, lambda paths: _read(paths), options, processes=2))
    expected = dict(statistics_of_shards(files, _read, options, processes=1))
    assert statistics["eval"] == expected["eval"]


def _parquet(tmp_path: Path) -> str:
    import pyarrow.parquet as pq

    table = pa.table({"x": pa.array(range(6000)), "y": [f"w{i % 7}" for i in range(6000)]})
    pq.write_table(table, tmp_path / "data.parquet", row_group_size=400)
    return str(tmp_path / "data.parquet")


def _tfrecord(tmp_path: Path) -> str:
    with ExamplesWriter(str(tmp_path / "examples"), ["train"]) as writer:
        batch = pa.record_batch({"x": pa.array(range(6000)), "y": ["w"] * 6000})
        writer.write("train", batch)
    (file,) = split_files(str(tmp_path / "examples"), "train")
    return file


@pytest.mark.parametrize("sample_rate", [None, 0.5])
@pytest.mark.parametrize("kind", ["tfrecords_gzip", "parquet"])
def test_parts_of_one_large_file_are_its_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, sample_rate: float | None
) -> None:
    path = _parquet(tmp_path) if kind == "parquet" else _tfrecord(tmp_path)
    options = StatsOptions(sample_rate=sample_rate)
    reader = ExamplesReader(file_format=kind, batch_size=300)
    assert len(list(reader.parts(path))) == 1
    (whole,) = dict(statistics_of_shards({"a": [path]}, reader, options))["a"].datasets
    monkeypatch.setattr(shard_parts, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(shard_parts, "_PART_ROWS", 1000)
    parts = list(reader.parts(path))
    assert [part.first_row for part in parts][:2] == [0, 1200 if kind == "parquet" else 1000]
    alone, together = (
        dict(statistics_of_shards({"a": [path]}, reader, options, processes=count))["a"]
        for count in (1, 2)
    )
    assert alone == together
    (cut,) = together.datasets
    assert cut.num_examples == whole.num_examples
    for mine, other in zip(cut.features, whole.features, strict=True):
        if mine.HasField("num_stats"):
            assert mine.num_stats.mean == pytest.approx(other.num_stats.mean)
            assert mine.num_stats.max == other.num_stats.max
        else:
            assert mine.string_stats == other.string_stats


def test_parts_of_csv_have_one_type(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,y\n" + "1,a\n" * 300_000 + "1.5,b\n")
    statistics = generate_statistics_from_csv(str(path))
    x, y = statistics.datasets[0].features
    assert (x.num_stats.max, x.num_stats.common_stats.num_non_missing) == (1.5, 300_001)
    assert x.type == x.FLOAT
    assert y.string_stats.unique == 2


def test_a_split_without_files_has_statistics_of_no_rows(examples: str) -> None:
    files = {"none": [], **_files(examples), "last": []}
    found = dict(statistics_of_shards(files, ExamplesReader(), StatsOptions()))
    assert list(found) == ["none", "train", "eval", "last"]
    assert [found[s].datasets[0].num_examples for s in files] == [0, 6000, 1200, 0]
