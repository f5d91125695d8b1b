"""Statistics of shards, in one process and in several."""

import functools

import numpy as np
import pyarrow as pa
import pytest

from penstock.data_validation import StatsOptions, statistics_of_record_batches
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
