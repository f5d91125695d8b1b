"""Inferring the type of CSV columns as TFDV's CSV decoder does, and converting cells to it.

A column is INT if every non-empty cell is a 64-bit integer, FLOAT if every one is a number, and
STRING otherwise; an integer that does not fit into 64 bits makes it STRING; a column with only
empty cells is UNKNOWN. Python's `int()` and `float()` of the cell's bytes decide what a number is
(so digits and spaces beyond ASCII are text); Arrow's faster parsers are used where both agree.
"""

import logging

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import booleans, to_numpy
from penstock.io.csv.cell_type import ColumnType, infer_cell_type

_LOG = logging.getLogger(__name__)
_INT64_BEYOND = 2.0**63


ARROW_TYPES = {
    ColumnType.UNKNOWN: pa.null(),
    ColumnType.INT: pa.int64(),
    ColumnType.FLOAT: pa.float32(),
    ColumnType.STRING: pa.binary(),
}


def _exact_type(
    cells: pa.Array, known: ColumnType, enough: ColumnType = ColumnType.STRING
) -> ColumnType:
    """Look at distinct cells one by one, until the type is at least `enough`."""
    for cell in pc.unique(cells).to_pylist():
        if known >= enough:
            break
        known = max(known, infer_cell_type(cell))
    return known


def _parse(cells: pa.Array, kind: pa.DataType) -> pa.Array | None:
    try:
        return pc.cast(cells, kind)
    except pa.ArrowInvalid:
        return None


def infer_type(cells: pa.Array, known: ColumnType = ColumnType.UNKNOWN) -> ColumnType:
    """Infer the type of a column from more of its cells.

    Args:
        cells: Strings; null and "" are missing.
        known: The type of the cells seen before.

    Example:
        >>> infer_type(pa.array(["1", None, "2.5"]))
        <ColumnType.FLOAT: 1>
    """
    cells = cells.drop_null()
    if known is ColumnType.STRING or len(cells) == 0:
        return known
    known = max(known, infer_cell_type(cells[0].as_py()))
    if known is ColumnType.STRING:
        return known
    # Arrow reads hexadecimal integers, Python does not.
    if (
        known is ColumnType.INT
        and _parse(cells, pa.int64()) is not None
        and not pc.any(pc.match_substring(cells, "x")).as_py()
    ):
        return known
    parsed = _parse(cells, pa.float64())
    if parsed is None:
        return _exact_type(cells, known)
    # A whole number of 2**63 and more, and Arrow's "nan(...)", need Python's judgement.
    doubtful = ~(np.abs(to_numpy(parsed)) < _INT64_BEYOND)
    if doubtful.any():
        known = _exact_type(cells.filter(booleans(doubtful)), known)
    return _exact_type(cells, known, enough=ColumnType.FLOAT)


def convert(cells: pa.Array, kind: ColumnType) -> pa.Array:
    """Convert strings to a column type's values; null stays null.

    Floats are parsed in double precision, then rounded to the single precision of a tf.Example.

    Raises:
        ValueError: If a cell is not of the type.
    """
    if kind is ColumnType.UNKNOWN:
        return pa.nulls(len(cells))
    if kind is ColumnType.STRING:
        return cells.cast(pa.binary())
    if kind is ColumnType.INT:
        parsed = _parse(cells, pa.int64())
        if parsed is None:
            parsed = pa.array(
                [None if c is None else int(c) for c in cells.to_pylist()], pa.int64()
            )
        return parsed
    parsed = _parse(cells, pa.float64())
    if parsed is None:
        parsed = pa.array(
            [None if c is None else float(c) for c in cells.to_pylist()], pa.float64()
        )
    single = parsed.cast(pa.float32(), safe=False)
    beyond = pc.and_(pc.is_inf(single), pc.invert(pc.is_inf(parsed)))
    if pc.any(beyond).as_py():
        _LOG.warning(
            "Numbers beyond 3.4e38, such as %s, are infinite in single precision.",
            parsed.filter(beyond)[0].as_py(),
        )
    return single
