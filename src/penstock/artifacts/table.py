"""A table as a value artifact: the form in which function components exchange DataFrames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from penstock.artifacts.value import ValueArtifact

if TYPE_CHECKING:
    import pyarrow as pa


class Table(ValueArtifact):
    """Named columns in one Parquet file, `table.parquet`.

    `value` takes a `pyarrow.Table`, a RecordBatch or a pandas DataFrame (whose index is kept, as
    pandas keeps it in Parquet), and returns a `pyarrow.Table`. The whole table is held in memory;
    rows for training belong in `Examples`.

    Example:
        >>> Table("/tmp/t").value = pandas.DataFrame({"city": ["Oslo"], "trips": [12]})
        >>> Table("/tmp/t").value.num_rows
        1
    """

    URI_NAMES_FILE: ClassVar = False

    @property
    def value_uri(self) -> str:
        """The Parquet file."""
        return f"{self.uri.rstrip('/')}/table.parquet"

    def encode(self, value: Any) -> bytes:
        """Return the table as a Parquet file.

        Raises:
            TypeError: If it is neither a table nor a DataFrame.
            ValueError: If a column has no type in Parquet; the message names the column.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(self._as_table(value), sink, compression="zstd")
        return bytes(sink.getvalue())

    def decode(self, data: bytes) -> pa.Table:
        """Return the table."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        return pq.read_table(pa.BufferReader(data))

    def _as_table(self, value: Any) -> pa.Table:
        import pyarrow as pa

        if isinstance(value, pa.Table):
            return value
        if isinstance(value, pa.RecordBatch):
            return pa.Table.from_batches([value])
        if is_data_frame(type(value)):
            try:
                return pa.Table.from_pandas(value)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise ValueError(
                    f"A column of the DataFrame has no type in Parquet: {error}"
                ) from None
        raise self._refuse(value, "a pandas DataFrame or a pyarrow Table")


def is_data_frame(annotation: Any) -> bool:
    """Return whether a class is `pandas.DataFrame`, without importing pandas."""
    return (
        isinstance(annotation, type)
        and annotation.__name__ == "DataFrame"
        and annotation.__module__.partition(".")[0] == "pandas"
    )
