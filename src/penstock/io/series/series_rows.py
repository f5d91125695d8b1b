"""The rows of Examples as series: by key and in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.examples.split import ExamplesSplit
from penstock.io.series.time_axis import TimeAxis, TimeStep

Array = np.ndarray[Any, Any]


class OneSeries(NamedTuple):
    """The rows of one series in the order of time.

    Attributes:
        key: What tells it from the other series; None if there is only one.
        ticks: The times, each once.
        columns: The values of each column, float32, NaN where there is none.
    """

    key: bytes | int | float | None
    ticks: Array
    columns: dict[str, Array]


class SeriesRows:
    """All rows of Examples, read whole.

    Args:
        splits: The splits of the Examples; their rows are taken together.
        time_key: The column of the times.
        columns: The columns of numbers.
        series_key: The column that tells series apart; empty if there is one series.
        step: The step, if it is known: months are counted otherwise than days.

    Raises:
        KeyError: If there is no such column.
        ValueError: If a column does not hold one number a row, a row has no time, or a series has two
            rows of one time.
    """

    def __init__(
        self,
        splits: Sequence[ExamplesSplit],
        time_key: str,
        columns: Sequence[str],
        series_key: str = "",
        step: TimeStep | None = None,
    ) -> None:
        wanted = [time_key, *([series_key] if series_key else []), *columns]
        table = _read(splits, list(dict.fromkeys(wanted)))
        times = _single(table, time_key)
        if times.null_count:
            raise ValueError(
                f"Each row needs a time, but {times.null_count} of {len(times)} rows have no {time_key!r}."
            )
        self.axis = TimeAxis(time_key, times.type, step)
        self.series_key = series_key
        self._ticks = self.axis.ticks(times)
        self._columns = {name: _numbers(table, name) for name in columns}
        self._keys: list[Any] = [None]
        codes = np.zeros(len(times), np.int64)
        if series_key:
            keys = _single(table, series_key)
            if keys.null_count:
                raise ValueError(
                    f"Each row needs a series, but {keys.null_count} of {len(keys)} rows have no "
                    f"{series_key!r}."
                )
            encoded = keys.dictionary_encode()
            order = pc.sort_indices(encoded.dictionary).to_numpy()
            self._keys = encoded.dictionary.take(pa.array(order)).to_pylist()
            rank = np.empty(len(order), np.int64)
            rank[order] = np.arange(len(order))
            codes = rank[encoded.indices.to_numpy(zero_copy_only=False)]
        self._order = np.lexsort((self._ticks, codes))
        self._ends = np.searchsorted(codes[self._order], np.arange(len(self._keys)), side="right")

    def __len__(self) -> int:
        return len(self._ticks)

    @property
    def distinct_ticks(self) -> Array:
        """The times of all series, each once, ascending."""
        return np.unique(self._ticks)

    def __iter__(self) -> Iterator[OneSeries]:
        """Yield the series in the order of their keys."""
        begin = 0
        for key, end in zip(self._keys, self._ends.tolist(), strict=True):
            rows = self._order[begin:end]
            begin = end
            ticks = self._ticks[rows]
            twice = np.flatnonzero(np.diff(ticks) == 0)
            if len(twice):
                of = "" if key is None else f" of series {_shown(key)}"
                raise ValueError(
                    f"Two rows{of} have the same time, {self.axis.text(ticks[twice[0]])}. Name the column "
                    "that tells the series apart in series_key, or keep one row of a time (FilterRows)."
                )
            yield OneSeries(key, ticks, {name: of[rows] for name, of in self._columns.items()})


def _shown(key: Any) -> str:
    return repr(key.decode(errors="replace") if isinstance(key, bytes) else key)


def _read(splits: Sequence[ExamplesSplit], columns: list[str]) -> pa.Table:
    batches = []
    for split in splits:
        for batch in split.batches():
            missing = [name for name in columns if name not in batch.schema.names]
            if missing:
                raise KeyError(
                    f"Split {split.name!r} has no column {missing[0]!r}. Columns: {batch.schema.names}"
                )
            batches.append(batch.select(columns))
    if not any(batch.num_rows for batch in batches):
        raise ValueError(f"There are no rows in the splits {[split.name for split in splits]}.")
    return pa.concat_tables(
        [pa.Table.from_batches([batch]) for batch in batches], promote_options="permissive"
    )


def _single(table: pa.Table, name: str) -> pa.Array:
    """Return a column of lists as one value a row, null where there is none."""
    lists = table.column(name).combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    if pa.types.is_null(lists.type):
        return pa.nulls(len(lists))
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    if lengths.max(initial=0) > 1:
        raise ValueError(
            f"Column {name!r} must hold one value a row: a series is rows in time. Received: a row with "
            f"{lengths.max()} values"
        )
    values = lists.flatten()
    places = np.cumsum(lengths) - 1
    return values.take(pa.array(places, mask=lengths == 0))


def _numbers(table: pa.Table, name: str) -> Array:
    values = _single(table, name)
    if pa.types.is_null(values.type):
        return np.full(len(values), np.nan, np.float32)
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        raise ValueError(
            f"Windows hold numbers. Column {name!r} holds {values.type}; encode it before, or leave it out."
        )
    return np.asarray(values.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False))
