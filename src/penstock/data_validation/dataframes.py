"""DataFrames as Arrow tables, column by column where Arrow does not take the whole."""

import logging
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)


def table_of(dataframe: "pd.DataFrame") -> pa.Table:
    """Return a DataFrame as an Arrow table, without its index.

    Sparse columns are filled in. A column of a type that Arrow does not know, such as complex numbers, is
    left out, and a warning is logged.

    Raises:
        TypeError: If a column holds values of several types, or integers beyond 64 bits.
        ValueError: If two columns have one name.

    Example:
        >>> table_of(pd.DataFrame({"fare": [1.5, None]})).column("fare").null_count
        1
    """
    sparse = {
        name: kind.subtype
        for name, kind in dataframe.dtypes.items()
        if type(kind).__name__ == "SparseDtype"
    }
    if sparse:
        dataframe = dataframe.astype(sparse)
    try:
        return pa.Table.from_pandas(dataframe, preserve_index=False)
    except (pa.ArrowException, OverflowError):
        # Arrow does not always say which column it is.
        columns = {str(name): column for name, column in dataframe.items()}
        arrays = {name: _column(name, column) for name, column in columns.items()}
        return pa.table({name: array for name, array in arrays.items() if array is not None})


def _column(name: str, column: Any) -> pa.Array | pa.ChunkedArray | None:
    try:
        return pa.Table.from_pandas(column.to_frame(name), preserve_index=False).column(0)
    except pa.ArrowNotImplementedError:
        _LOG.warning(
            "column %r of type %s is left out of the statistics: convert it to numbers or text.",
            name,
            column.dtype,
        )
        return None
    except OverflowError as error:
        raise TypeError(
            f"column {name!r} holds an integer beyond 64 bits. Convert it to floats or text."
        ) from error
    except pa.ArrowException as error:
        raise TypeError(
            f"column {name!r} holds values of several types: {error.args[0]}. Convert them to one, such as "
            f"by .astype(str)."
        ) from error
