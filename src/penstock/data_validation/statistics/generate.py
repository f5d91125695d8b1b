"""Driving the statistics kernels over RecordBatches: whole data set, slices, samples."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.slicing import FeatureValueSlicer
from penstock.data_validation.statistics.dataset import DatasetStatistics
from penstock.data_validation.statistics.sampling import RowSampler
from penstock.data_validation.stats_options import StatsOptions
from penstock.data_validation.unused_options import tell_unused_options
from penstock.io.arrow.list_columns import with_list_columns

if TYPE_CHECKING:
    from penstock.data_validation.stats_options import SliceFunction

ALL_EXAMPLES = "All Examples"


class SlicedStatistics:
    """Statistics of all rows and of every slice, as a mergeable kernel.

    Args:
        options: What to compute; `slicing_config` and `experimental_slice_functions` make the slices.
    """

    def __init__(self, options: StatsOptions) -> None:
        self._options = options
        self._slicers: list[SliceFunction] = [
            *map(FeatureValueSlicer, options.slicing_config),
            *options.experimental_slice_functions,
        ]
        sliced = bool(self._slicers)
        self._slices = {"": DatasetStatistics(options, ALL_EXAMPLES if sliced else "")}

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        batch = with_list_columns(batch)
        self._slices[""].add(batch)
        seen: dict[str, int] = {}
        for slice_function in self._slicers:
            for name, rows in slice_function(batch):
                if isinstance(slice_function, FeatureValueSlicer):
                    # One slice may come from several specs: {"day": None} and {"day": ["mon"]}.
                    if name in seen and seen[name] != rows.num_rows:
                        raise ValueError(
                            f"Two slices of different rows are called {name!r}. Slice by one of them at a "
                            f"time, or by a slice function that names them."
                        )
                    if name in seen:
                        continue
                    seen[name] = rows.num_rows
                self._slice(name).add(rows)

    def _slice(self, name: str) -> DatasetStatistics:
        if name not in self._slices:
            self._slices[name] = DatasetStatistics(self._options, name)
        return self._slices[name]

    def merge(self, other: "SlicedStatistics") -> None:
        """Add the state of another one; the other one must not be used afterwards."""
        for name, statistics in other._slices.items():
            self._slice(name).merge(statistics)

    def result(self) -> statistics_pb2.DatasetFeatureStatisticsList:
        """Make the proto: all rows first, then the slices by name."""
        ordered = [self._slices[name].result() for name in sorted(self._slices)]
        return statistics_pb2.DatasetFeatureStatisticsList(datasets=ordered)


def statistics_of_record_batches(
    batches: Iterable[pa.RecordBatch],
    options: StatsOptions | None = None,
    schema: schema_pb2.Schema | None = None,
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Compute the statistics of RecordBatches.

    Args:
        batches: Every column holds one list of values per row, possibly nested; null is missing. A
            column of single values, as in tables, is read as lists of one.
        options: What to compute.
        schema: The schema, if `options` has none.

    Returns:
        One data set, and one more for every slice. Options that had no effect on the data are
        logged.

    Raises:
        ValueError: If `options` has another schema.

    Example:
        >>> batch = pa.record_batch({"age": [[37], [41], None]})
        >>> statistics_of_record_batches([batch]).datasets[0].num_examples
        3
    """
    options = options or StatsOptions()
    if schema is not None:
        if options.schema is not None and options.schema != schema:
            raise ValueError(
                "Give the schema either as schema=... or in the options. Received: two different "
                "ones."
            )
        options = options.replaced(schema=schema)
    statistics = computed_statistics(batches, options)
    tell_unused_options(options, statistics)
    return statistics


def computed_statistics(
    batches: Iterable[pa.RecordBatch], options: StatsOptions
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Compute the statistics of RecordBatches, without logging options that have no effect."""
    kernel = SlicedStatistics(options)
    keep = RowSampler(options.sample_rate)
    for batch in batches:
        kernel.add(keep(batch))
    return kernel.result()
