"""Rows in a user's form (dicts, DataFrames, Arrow tables) as columns for a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rows:
    """Columns of raw values.

    Args:
        count: The number of rows.
        columns: By name either a `pa.Array`, or a list of Python values in which None is missing.
    """

    count: int
    columns: Mapping[str, Any]


def rows_of(data: Any) -> Rows:
    """Return the columns of rows in any form that `ServedModel.predict` takes.

    Raises:
        TypeError: If it is something else.
        ValueError: If a column's name occurs twice.
    """
    if isinstance(data, Mapping):
        return _of_dicts([data])
    if hasattr(data, "iloc") and hasattr(data, "columns"):
        return _of_frame(data)
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        return _of_table(data)
    if isinstance(data, str | bytes) or not isinstance(data, Iterable):
        raise TypeError(
            "predict takes a list of dicts, one dict, a pandas DataFrame or an Arrow table. "
            f"Received: {type(data).__name__}"
        )
    return _of_dicts(list(data))


def _of_dicts(rows: list[Any]) -> Rows:
    columns: dict[str, list[Any]] = {}
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(
                f"Each row is a dict of values by name. Received in row {index}: "
                f"{type(row).__name__}"
            )
        for name, value in row.items():
            if not isinstance(name, str):
                raise TypeError(f"Names are strings. Received in row {index}: {name!r}")
            if name not in columns:
                columns[name] = [None] * len(rows)
            columns[name][index] = value
    return Rows(len(rows), columns)


def _of_frame(frame: Any) -> Rows:
    import pyarrow as pa

    names = [str(name) for name in frame.columns]
    _check_names(names)
    columns: dict[str, Any] = {}
    for place, name in enumerate(names):
        series = frame.iloc[:, place]
        try:
            column = pa.array(series, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            columns[name] = list(series)
            continue
        # Within a list a NaN is a value, which Arrow would make a null.
        columns[name] = list(series) if pa.types.is_nested(column.type) else _joined(column)
    return Rows(len(frame), columns)


def _of_table(data: Any) -> Rows:
    import pyarrow as pa

    table = data if isinstance(data, pa.Table | pa.RecordBatch) else pa.table(data)
    _check_names(table.column_names)
    columns = {name: _joined(table.column(i)) for i, name in enumerate(table.column_names)}
    return Rows(table.num_rows, columns)


def _joined(column: Any) -> Any:
    import pyarrow as pa

    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _check_names(names: list[str]) -> None:
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"Two columns have the name {min(repeated)!r}.")
