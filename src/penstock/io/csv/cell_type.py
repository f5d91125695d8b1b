"""The type of one cell of a CSV file, and of a column, as in TFDV's CSV decoder."""

from enum import IntEnum


class ColumnType(IntEnum):
    """The type of a CSV column; a column has the highest type of its cells."""

    UNKNOWN = -1
    INT = 0
    FLOAT = 1
    STRING = 2


def infer_cell_type(cell: str) -> ColumnType:
    """Return the type of one cell."""
    if not cell:
        return ColumnType.UNKNOWN
    content = cell.encode()
    try:
        number = int(content)
    except ValueError:
        try:
            float(content)
        except ValueError:
            return ColumnType.STRING
        return ColumnType.FLOAT
    return ColumnType.INT if -(2**63) <= number < 2**63 else ColumnType.STRING
