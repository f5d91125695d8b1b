"""The columns of a split as NumPy arrays, for code that takes a whole data set at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.examples.split import ExamplesSplit

if TYPE_CHECKING:
    import numpy.typing as npt


def read_columns(
    split: ExamplesSplit, columns: Sequence[str] | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Read a split into memory, a NumPy array for each feature.

    Args:
        split: The split.
        columns: The features to read; all by default.

    Returns:
        By feature, an array whose first dimension is the rows: of the shape (rows,) where no row has more
        than one value, (rows, values) where each has equally many, and otherwise an array of arrays.
        Strings are bytes, in arrays of objects. A missing value is NaN among numbers, which are then
        floats, and None among bytes.

    Raises:
        RuntimeError: If more or fewer rows were read than were written.

    Example:
        >>> read_columns(ExamplesSplit.of(examples, "train"))["species"][:2]
        array([b'Adelie', b'Gentoo'], dtype=object)
    """
    table = whole_table(split, columns)
    return {name: column_array(table.column(name)) for name in table.column_names}


def whole_table(
    split: ExamplesSplit, columns: Sequence[str] | None = None, max_rows: int | None = None
) -> pa.Table:
    """Read a split into memory as an Arrow table of lists; a feature that no row has is left out.

    Args:
        split: The split.
        columns: The features to read; all by default.
        max_rows: How many rows to read, the first ones; all by default.
    """
    parts: list[pa.Table] = []
    read = 0
    for batch in split.batches(columns=columns):
        parts.append(pa.Table.from_batches([batch]))
        read += batch.num_rows
        if max_rows is not None and read >= max_rows:
            break
    if not parts:
        return pa.table({})
    table = pa.concat_tables(parts, promote_options="permissive").slice(0, max_rows)
    return table.combine_chunks()


def column_array(column: pa.ChunkedArray | pa.Array) -> npt.NDArray[Any]:
    """Return a column of lists as an array; see `read_columns`."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    values = _plain(column.flatten())
    most = int(lengths.max()) if len(lengths) else 0
    if most <= 1:
        return _spread(values, lengths.astype(bool))
    if int(lengths.min()) == most:
        return values.reshape(len(lengths), most)
    ragged = np.empty(len(lengths), dtype=object)
    ragged[:] = np.split(values, np.cumsum(lengths)[:-1])
    return ragged


def _plain(values: pa.Array) -> npt.NDArray[Any]:
    """Return values as numbers or, if they are no numbers, as objects."""
    array: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False)
    return array


def _spread(values: npt.NDArray[Any], present: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Return one value for each row, where some rows have none."""
    if present.all():
        return values
    is_number = values.dtype.kind in "iuf"
    spread: npt.NDArray[Any]
    if is_number:
        kind = values.dtype if values.dtype.kind == "f" else np.float64
        spread = np.full(len(present), np.nan, dtype=kind)
    else:
        spread = np.full(len(present), None, dtype=object)
    spread[present] = values
    return spread
