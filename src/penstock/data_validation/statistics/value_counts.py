"""Counting distinct values: exact while they fit into memory, by sketches beyond.

The exact form is an Arrow table of values and counts; batches are pre-counted and folded in when
enough have gathered. Past the limits the counts go into a KMV sketch (distinct values) and
Misra-Gries sketches (the most frequent ones), which TFDV uses with these sizes.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import numbers

EXACT_VALUES = 1_000_000
EXACT_BYTES = 64 << 20

_PENDING_ROWS = 200_000
_KMV_BUCKETS = 16_384
_MISRA_GRIES_BUCKETS = 1_024
_LONG_VALUE_BYTES = 1_024
INVALID_UTF8 = "__BYTES_VALUE__"
LONG_VALUE = "__LARGE_BYTES__"

_Floats = npt.NDArray[np.float64]


class ValueCount(NamedTuple):
    """A value as text and how often (or with which weight) it occurs."""

    value: str
    frequency: float


class _Sketches:
    """Estimates of distinct values and frequent values."""

    def __init__(self, buckets: int, weighted: bool) -> None:
        from tfx_bsl.sketches import KmvSketch, MisraGriesSketch

        self._distinct = KmvSketch(_KMV_BUCKETS)
        self._frequent = [
            MisraGriesSketch(buckets, INVALID_UTF8, _LONG_VALUE_BYTES, LONG_VALUE)
            for _ in range(2 if weighted else 1)
        ]

    def add(self, table: pa.Table) -> None:
        values = table["value"].combine_chunks()
        self._distinct.AddValues(values)
        columns = ("count", "weight")
        for column, sketch in zip(columns, self._frequent, strict=False):
            sketch.AddValues(values, table[column].combine_chunks().cast(pa.float32()))

    def merge(self, other: "_Sketches") -> None:
        self._distinct.Merge(other._distinct)
        for mine, theirs in zip(self._frequent, other._frequent, strict=True):
            mine.Merge(theirs)

    def distinct(self) -> int:
        return int(self._distinct.Estimate())

    def frequent(self, column: str) -> pa.Table:
        estimates = self._frequent[("count", "weight").index(column)].Estimate()
        return _table(value=estimates.field(0), **{column: estimates.field(1)})


class ValueCounts:
    """Counts of the distinct values of one feature.

    Args:
        listed: How many of the most frequent values will be asked for.
        weighted: Whether values come with weights.
    """

    def __init__(self, listed: int, weighted: bool) -> None:
        self._listed = listed
        self._weighted = weighted
        self._counted: pa.Table | None = None
        self._pending: list[pa.Table] = []
        self._pending_rows = self._pending_bytes = 0
        self._sketches: _Sketches | None = None

    def add(self, values: pa.Array, weights: _Floats | None) -> None:
        """Add values (bytes, strings or integers) with a weight each."""
        if not len(values):
            return
        if weights is None:
            counts = values.value_counts()
            table = _table(value=counts.field(0), count=counts.field(1))
        else:
            ones = numbers(np.ones(len(values), np.int64))
            table = _grouped(_table(value=values, count=ones, weight=numbers(weights)))
        self._push(table)

    def _push(self, table: pa.Table) -> None:
        self._pending.append(table)
        self._pending_rows += table.num_rows
        self._pending_bytes += table.nbytes
        counted = self._counted.num_rows if self._counted is not None else 0
        enough = self._pending_rows > max(_PENDING_ROWS, counted)
        if enough or self._pending_bytes > EXACT_BYTES:
            self._fold()

    def _fold(self) -> None:
        tables = [*self._pending] if self._counted is None else [self._counted, *self._pending]
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        if not tables:
            return
        total = _unify(tables)
        if self._sketches is None:
            self._counted = _grouped(total) if len(tables) > 1 else total
            if self._counted.num_rows <= EXACT_VALUES and self._counted.nbytes <= EXACT_BYTES:
                return
            total = self._counted
            self._sketches = _Sketches(max(_MISRA_GRIES_BUCKETS, self._listed), self._weighted)
        self._sketches.add(total)
        self._counted = None

    def merge(self, other: "ValueCounts") -> None:
        """Add the state of another one."""
        other._fold()
        if other._sketches is not None:
            self._fold()
            if self._sketches is None:
                self._sketches = _Sketches(max(_MISRA_GRIES_BUCKETS, self._listed), self._weighted)
                if self._counted is not None:
                    self._sketches.add(self._counted)
                    self._counted = None
            self._sketches.merge(other._sketches)
        elif other._counted is not None:
            self._push(other._counted)

    def distinct(self) -> int:
        """Return the number of distinct values."""
        self._fold()
        if self._sketches is not None:
            return self._sketches.distinct()
        return self._counted.num_rows if self._counted is not None else 0

    def most_frequent(self, limit: int, *, by_weight: bool = False) -> list[ValueCount]:
        """Return values by descending count, equal counts by descending value."""
        self._fold()
        column = "weight" if by_weight else "count"
        table = self._counted
        if self._sketches is not None:
            table = self._sketches.frequent(column)
        if table is None:
            return []
        top = table.select(["value", column])
        order = pc.sort_indices(top, [(column, "descending"), ("value", "descending")])[:limit]
        top = top.take(order)
        return [
            ValueCount(_as_text(value), count)
            for value, count in zip(top["value"].to_pylist(), top[column].to_pylist(), strict=True)
        ]


def _table(**columns: pa.Array) -> pa.Table:
    return pa.Table.from_arrays(list(columns.values()), list(columns))


def _grouped(table: pa.Table) -> pa.Table:
    sums: list[Any] = [(name, "sum") for name in table.column_names if name != "value"]
    grouped = table.group_by("value").aggregate(sums)
    return grouped.rename_columns(
        [name.removesuffix("_sum") for name in grouped.column_names]
    ).combine_chunks()


def _unify(tables: list[pa.Table]) -> pa.Table:
    """Join tables whose values may be of the small and the large binary type, or signed and not."""
    kinds = {table.schema.field("value").type for table in tables}
    if len(kinds) > 1:
        tables = [
            table.set_column(table.column_names.index("value"), "value", _as_bytes(table["value"]))
            for table in tables
        ]
    return pa.concat_tables([table.select(sorted(table.column_names)) for table in tables])


def _as_bytes(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_integer(values.type):
        values = values.cast(pa.large_string())
    return values.cast(pa.large_binary())


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return INVALID_UTF8
    return str(value)
