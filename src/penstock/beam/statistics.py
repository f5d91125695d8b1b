"""Kernels over the shards of Examples: statistics by split, on Beam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam

from penstock.beam.exchange import Exchange
from penstock.beam.kernels import KernelCombineFn, MakeKernel, Sample, Total
from penstock.beam.pipeline_options import BeamSetup

if TYPE_CHECKING:
    import pyarrow as pa


ReadFiles = Callable[[list[str]], "Iterator[pa.RecordBatch]"]
"""A picklable function that yields the batches of files."""


class _Shard(NamedTuple):
    number: int
    split: str
    path: str


def combine_on_beam(
    engine: BeamSetup,
    files_by_split: Mapping[str, Sequence[str]],
    read: ReadFiles,
    make_kernel: MakeKernel,
    exchange_folder: str,
    *,
    sample_rate: float | None = None,
) -> dict[str, Total]:
    """Run a kernel over the shards of each split.

    Args:
        engine: Where to run.
        files_by_split: The shards of each split; every worker must reach them.
        read: Reads shards.
        make_kernel: Makes an empty kernel.
        exchange_folder: A folder that every worker and this process reach, for the results.
        sample_rate: The fraction of rows that the kernel sees; see `RowSampler`.

    Returns:
        The kernel's result for each split, and the rows that were read.

    Example:
        totals = combine_on_beam(engine, {"train": files}, read,
                                 functools.partial(SlicedStatistics, options), uri)
        totals["train"].rows
    """
    engine.check_reachable(
        [exchange_folder, *(path for paths in files_by_split.values() for path in paths)]
    )
    with Exchange(exchange_folder) as exchange:
        with engine.pipeline() as pipeline:
            _ = (
                pipeline
                | CombineShards(files_by_split, read, make_kernel, sample_rate)
                | "Keep" >> exchange.keep()
            )
        totals = {split: exchange.read(split) for split in files_by_split}
    return {
        split: Total(make_kernel().result(), 0) if total is None else total
        for split, total in totals.items()
    }


class CombineShards(beam.PTransform):  # type: ignore[misc]
    """A (split, Total) pair for each split that has rows.

    Args:
        files_by_split: The shards of each split.
        read: Reads shards.
        make_kernel: Makes an empty kernel.
        sample_rate: The fraction of rows that the kernel sees.
    """

    def __init__(
        self,
        files_by_split: Mapping[str, Sequence[str]],
        read: ReadFiles,
        make_kernel: MakeKernel,
        sample_rate: float | None,
    ) -> None:
        super().__init__()
        self._shards = [
            _Shard(number, split, path)
            for split, paths in files_by_split.items()
            for number, path in enumerate(paths)
        ]
        self._read = read
        self._make_kernel = make_kernel
        self._sample_rate = sample_rate

    def expand(self, pipeline: Any) -> Any:
        """Read shards where they were spread to, and combine there first."""
        return (
            pipeline
            | "Shards" >> beam.Create(self._shards)
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.FlatMap(_samples, self._read, self._sample_rate)
            | "Combine" >> beam.CombinePerKey(KernelCombineFn(self._make_kernel))
        )


def _samples(shard: _Shard, read: ReadFiles, rate: float | None) -> Iterator[tuple[str, Sample]]:
    for sample in sampled(read([shard.path]), rate, shard.number):
        yield shard.split, sample


def sampled(batches: Iterator[Any], rate: float | None, shard: int) -> Iterator[Sample]:
    """Chooses rows of a shard's batches, as the local driver does.

    Args:
        batches: RecordBatches.
        rate: The probability; None for all rows.
        shard: The shard's number in its split.
    """
    from penstock.data_validation.statistics.sampling import RowSampler

    keep = RowSampler(rate, shard)
    for batch in batches:
        yield Sample(keep(batch), batch.num_rows)
