"""The interface of further statistics, including your own, with TFDV's method names.

A generator folds batches into an accumulator; accumulators are merged in any order. Accumulators
must be picklable, since parts of the data may be processed in other processes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.feature_path import FeaturePath
from penstock.data_validation.path_steps import PathSteps
from penstock.io.arrow.arrays import to_numpy, valid_rows

DOMAIN_INFO = "domain_info"


class _Generator(ABC):
    """What both kinds of generators have, with TFDV's names and defaults.

    Args:
        name: A name for the statistics, which nothing else depends on.
        schema: A schema that the generator wants to know.
    """

    name: str = ""
    schema: schema_pb2.Schema | None = None

    def __init__(self, name: str = "", schema: schema_pb2.Schema | None = None) -> None:
        self.name = name
        self.schema = schema

    @abstractmethod
    def create_accumulator(self) -> Any:
        """Return an empty accumulator."""

    @abstractmethod
    def merge_accumulators(self, accumulators: Iterable[Any]) -> Any:
        """Return one accumulator that combines all of them."""

    def setup(self) -> None:  # noqa: B027 (may be left as it is)
        """Prepare what cannot be pickled, such as an open file.

        It is called on a copy, in every process that works with the generator, before anything else.
        """

    def compact(self, accumulator: Any) -> Any:
        """Return a smaller form of an accumulator, before it is sent, merged or read."""
        return accumulator


class CombinerStatsGenerator(_Generator):
    """Statistics of whole RecordBatches, such as of pairs of features.

    Args:
        name: A name for the statistics, which nothing else depends on.
        schema: A schema that the generator wants to know.

    Example:
        >>> class RowsWithoutFare(CombinerStatsGenerator):
        ...     def create_accumulator(self): return 0
        ...     def add_input(self, accumulator, batch):
        ...         return accumulator + batch.column("fare").null_count
        ...     def merge_accumulators(self, accumulators): return sum(accumulators)
        ...     def extract_output(self, accumulator):
        ...         result = statistics_pb2.DatasetFeatureStatistics()
        ...         feature = result.features.add(path={"step": ["fare"]})
        ...         feature.custom_stats.add(name="rows_without", num=accumulator)
        ...         return result
        >>> StatsOptions(generators=[RowsWithoutFare()])
    """

    @abstractmethod
    def add_input(self, accumulator: Any, batch: pa.RecordBatch) -> Any:
        """Return the accumulator with a batch added."""

    @abstractmethod
    def extract_output(self, accumulator: Any) -> statistics_pb2.DatasetFeatureStatistics:
        """Return the statistics; they are merged into the data set's, by the paths of features."""


class CombinerFeatureStatsGenerator(_Generator):
    """Statistics of each feature alone, with one accumulator per feature.

    Args:
        name: A name for the statistics, which nothing else depends on.
        schema: A schema that the generator wants to know.
    """

    @abstractmethod
    def add_input(self, accumulator: Any, path: FeaturePath, array: pa.Array) -> Any:
        """Return the accumulator with a feature's column of a batch added."""

    @abstractmethod
    def extract_output(self, accumulator: Any) -> statistics_pb2.FeatureNameStatistics:
        """Return the statistics, without the path."""


StatsGenerator = CombinerStatsGenerator | CombinerFeatureStatsGenerator


class Leaves(NamedTuple):
    """The innermost values of a column and the row of each.

    Args:
        values: The values, without nulls.
        rows: The index of each value's row.
    """

    values: pa.Array
    rows: npt.NDArray[np.int64]


def leaves_of(array: pa.Array) -> Leaves:
    """Return the innermost values of a column."""
    rows = np.arange(len(array), dtype=np.int64)
    while pa.types.is_nested(array.type) and not pa.types.is_struct(array.type):
        lengths = np.where(valid_rows(array), to_numpy(array.value_lengths()), 0)
        rows = np.repeat(rows, lengths)
        array = array.flatten()
    if pa.types.is_null(array.type):
        return Leaves(array.slice(0, 0), rows[:0])
    if array.null_count:
        keep = array.is_valid()
        rows, array = rows[to_numpy(keep)], array.filter(keep)
    return Leaves(array, rows)


def innermost_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values inside of lists, however deep they are."""
    while pa.types.is_nested(kind) and not pa.types.is_struct(kind):
        kind = kind.value_type
    return kind


def is_text(kind: pa.DataType) -> bool:
    """Whether values are strings or bytes."""
    tests = (
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_string,
        pa.types.is_large_string,
    )
    return any(test(kind) for test in tests)


def column_at(batch: pa.RecordBatch, path: PathSteps) -> pa.Array | None:
    """Return a top-level column of lists; None if it is absent."""
    if len(path) != 1 or path[0] not in batch.schema.names:
        return None
    column = batch.column(batch.schema.names.index(path[0]))
    return None if pa.types.is_null(column.type) else column


def leaves_at(batch: pa.RecordBatch, path: PathSteps) -> Leaves | None:
    """Return the innermost values of a feature, inside of structs too, and the row of each.

    Returns:
        None if the feature is absent.
    """
    if path[0] not in batch.schema.names:
        return None
    leaves = leaves_of(batch.column(batch.schema.names.index(path[0])))
    for step in path[1:]:
        values, rows = leaves
        if not pa.types.is_struct(values.type) or values.type.get_field_index(step) < 0:
            return None
        inner = leaves_of(values.flatten()[values.type.get_field_index(step)])
        leaves = Leaves(inner.values, rows[inner.rows])
    return leaves


def lists_at(batch: pa.RecordBatch, path: PathSteps) -> pa.Array | None:
    """Return the lists of a feature, one per row or one per struct value; None if it is absent."""
    if path[0] not in batch.schema.names:
        return None
    array = batch.column(batch.schema.names.index(path[0]))
    for step in path[1:]:
        if not pa.types.is_struct(innermost_type(array.type)):
            return None
        array = leaves_of(array).values
        if array.type.get_field_index(step) < 0:
            return None
        array = array.flatten()[array.type.get_field_index(step)]
    return array
