"""Statistics of splits whose parts are worked on in several processes.

Every part has a kernel of its own and they are merged in order, so the result depends on how the data
is cut into files and parts (see `shard_parts`) and not on how many processes worked on them.
"""

import contextlib
import functools
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.statistics.generate import SlicedStatistics
from penstock.data_validation.statistics.sampling import RowSampler
from penstock.data_validation.statistics.shard_parts import ExamplesReader, Part
from penstock.data_validation.stats_options import StatsOptions
from penstock.data_validation.unused_options import tell_unused_options
from penstock.io.files.filesystem import file_size
from penstock.io.processes.shard_processes import map_shards, usable_processes
from penstock.progress import report

# Starting a process takes as long as reading about so many (compressed) bytes.
_BYTES_WORTH_A_PROCESS = 8 << 20

Read = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]
_Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList


class _Task(NamedTuple):
    """A part of a shard of a split."""

    split: str
    shard: int
    part: Part


def statistics_of_shards(
    files: Mapping[str, Sequence[str]],
    read: Read,
    options: StatsOptions,
    *,
    processes: int | None = None,
) -> Iterator[tuple[str, _Statistics]]:
    """Yield each split's name and statistics.

    Args:
        files: The shards of each split, in order.
        read: Reads files as RecordBatches; an `ExamplesReader` reads large ones in parts. Picklable, or
            one process does all the work.
        options: What to compute.
        processes: How many processes work; by default one a core if the files are large enough.

    Example:
        >>> dict(statistics_of_shards({"train": shards}, ExamplesReader(), StatsOptions()))
    """
    if processes is None:
        processes = worthwhile_processes(path for paths in files.values() for path in paths)
    tasks = (
        _Task(split, shard, part)
        for split, paths in files.items()
        for shard, path in enumerate(paths)
        for part in _parts_of(read, path)
    )
    with _kernels(tasks, options, processes) as kernels:
        by_split = itertools.groupby(_counted(kernels), key=lambda found: found[0])
        found = next(by_split, None)
        for split in files:
            if found is not None and found[0] == split:
                statistics = _merged((kernel for _, kernel in found[1]), options)
                tell_unused_options(options, statistics)
                yield split, statistics
                found = next(by_split, None)
            else:
                yield split, SlicedStatistics(options).result()


def statistics_of_parts(
    parts: Iterable[Part], options: StatsOptions, *, processes: int | None = None
) -> _Statistics:
    """Return the statistics of parts that make up one data set.

    Args:
        parts: The parts, in order.
        options: What to compute.
        processes: How many processes work; by default one a core.
    """
    tasks = (_Task("", 0, part) for part in parts)
    with _kernels(tasks, options, processes) as kernels:
        statistics = _merged((kernel for _, kernel in _counted(kernels)), options)
    tell_unused_options(options, statistics)
    return statistics


def worthwhile_processes(paths: Iterable[str]) -> int:
    """Return how many processes are worth their start for files of this size."""
    return usable_processes(sum(map(file_size, paths)) // _BYTES_WORTH_A_PROCESS + 1)


def _parts_of(read: Read, path: str) -> Iterable[Part]:
    if isinstance(read, ExamplesReader):
        return read.parts(path)
    return [Part(0, functools.partial(read, [path]))]


def _kernels(
    tasks: Iterable[_Task], options: StatsOptions, processes: int | None
) -> contextlib.closing[Generator[tuple[str, SlicedStatistics, int], None, None]]:
    """Yield each task's split, kernel and rows; its processes end with the block, also by an error."""
    kernel = functools.partial(_kernel, options)
    return contextlib.closing(map_shards(kernel, tasks, processes=processes))


def _counted(
    kernels: Iterable[tuple[str, SlicedStatistics, int]],
) -> Iterator[tuple[str, SlicedStatistics]]:
    total = 0
    for split, kernel, rows in kernels:
        total += rows
        report(total)
        yield split, kernel


def _merged(kernels: Iterator[SlicedStatistics], options: StatsOptions) -> _Statistics:
    total = next(kernels, None)
    if total is None:
        total = SlicedStatistics(options)
    for kernel in kernels:
        total.merge(kernel)
    return total.result()


def _kernel(options: StatsOptions, task: _Task) -> tuple[str, SlicedStatistics, int]:
    kernel, rows = SlicedStatistics(options), 0
    keep = RowSampler(options.sample_rate, task.shard, task.part.first_row)
    for batch in task.part.read():
        kernel.add(keep(batch))
        rows += batch.num_rows
    return task.split, kernel, rows
