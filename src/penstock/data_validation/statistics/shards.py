"""Statistics of splits whose shards are worked on in several processes.

Every shard has a kernel of its own and they are merged in the shards' order, so the result depends on
how the data is cut into files and not on how many processes worked on them.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.statistics.generate import SlicedStatistics
from penstock.data_validation.statistics.sampling import RowSampler
from penstock.data_validation.stats_options import StatsOptions
from penstock.io.files import file_size
from penstock.io.shard_processes import map_shards

# Starting a process takes as long as reading about so many (compressed) bytes.
_BYTES_WORTH_A_PROCESS = 8 << 20

Read = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]


def statistics_of_shards(
    files: Mapping[str, Sequence[str]],
    read: Read,
    options: StatsOptions,
    *,
    processes: int | None = None,
) -> Iterator[tuple[str, statistics_pb2.DatasetFeatureStatisticsList]]:
    """Yields each split's name and statistics.

    Args:
        files: The shards of each split, in order.
        read: Reads files as RecordBatches; picklable, or one process does all the work.
        options: What to compute.
        processes: How many processes work; by default one a core if the files are large enough.

    Example:
        >>> dict(statistics_of_shards({"train": shards}, read_record_batches, StatsOptions()))
    """
    shards = [(index, path) for split in files for index, path in enumerate(files[split])]
    if processes is None and sum(file_size(path) for _, path in shards) < _BYTES_WORTH_A_PROCESS:
        processes = 1
    kernels = map_shards(
        functools.partial(_kernel_of_shard, read, options), shards, processes=processes
    )
    for split, paths in files.items():
        total = SlicedStatistics(options)
        for number in range(len(paths)):
            kernel = next(kernels)
            if number:
                total.merge(kernel)
            else:
                total = kernel
        yield split, total.result()


def _kernel_of_shard(read: Read, options: StatsOptions, shard: tuple[int, str]) -> SlicedStatistics:
    index, path = shard
    kernel = SlicedStatistics(options)
    keep = RowSampler(options.sample_rate, index)
    for batch in read([path]):
        kernel.add(keep(batch))
    return kernel
