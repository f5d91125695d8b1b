"""Reading Parquet files as rows for ingestion."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from penstock.io.arrow.list_columns import repeated
from penstock.io.examples.reader import DEFAULT_BATCH_SIZE, batch_rows
from penstock.io.files.filesystem import FilePath, file_paths, open_binary
from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken
from penstock.io.tables.column_agreement import TableTypes
from penstock.io.tables.example_columns import ColumnError, example_columns, value_type

_FAULTS = (pa.ArrowException, OSError)


class ParquetError(ValueError):
    """A Parquet file cannot be read, or has other columns; the message names the file."""


def read_parquet(
    files: FilePath | Sequence[FilePath],
    *,
    types: Mapping[str, pa.DataType] | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    on_broken: OnBroken | None = None,
) -> Iterator[pa.RecordBatch]:
    """Read Parquet files as RecordBatches whose columns are lists of int64, float32 or bytes.

    All files must have the columns of the first, in any order; a column that is null throughout a
    file may have Arrow's null type there. For types see `value_type`.

    Args:
        files: Local paths or fsspec URLs.
        types: The columns' value types, if known; by default those of the files.
        batch_size: The most rows per batch; there are fewer if they are large.
        on_broken: Called with each file that is damaged or has other columns; the part that cannot
            be read is left out. By default it is an error.

    Raises:
        FileNotFoundError: If a file does not exist.
        ParquetError: If a file is damaged or has other columns.
        ColumnError: If a column does not fit into tf.Examples.

    Example:
        >>> next(read_parquet(["taxi.parquet"])).schema.field("fare").type
        LargeListType(large_list<item: float>)
    """
    tell = on_broken or _refuse
    files = file_paths(files)
    if types is None:
        agreed = TableTypes("Parquet")
        files = agreed.survey(files, survey_parquet, tell)
        types = agreed.agreed
    for path in files:
        yield from _read(path, types, batch_size, tell)


def _refuse(row: BrokenRow) -> None:
    raise ParquetError(str(row))


def survey_parquet(path: str, types: TableTypes) -> BrokenRow | None:
    """Add a file's columns to those that all files agree on.

    Args:
        path: The file.
        types: The columns' types in the files before it.

    Returns:
        The problem of the file; None if it is sound.
    """
    with open_binary(path) as file:
        try:
            parquet = pq.ParquetFile(file)
            schema = parquet.schema_arrow
        except _FAULTS as error:
            _let_through(error)
            reason = f"not a Parquet file, or damaged: {str(error).strip()}"
            return BrokenRow(path, reason, None)
        twice = repeated(schema.names)
        if twice:
            reason = f"the column names {twice} come more than once. Rename or drop some."
            return BrokenRow(path, reason, None, rows=parquet.metadata.num_rows)
        try:
            found = {field.name: value_type(field.name, field.type) for field in schema}
            types.add(path, found)
        except ColumnError as error:
            rows = parquet.metadata.num_rows
            return BrokenRow(path, error.reason, None, column=error.column, rows=rows)
    return None


def _read(
    path: str, types: Mapping[str, pa.DataType], batch_size: int, on_broken: OnBroken
) -> Iterator[pa.RecordBatch]:
    rows = 0
    with open_binary(path) as file:
        parquet: Any = pq.ParquetFile(file, page_checksum_verification=True)
        try:
            for batch in parquet.iter_batches(batch_rows(parquet, batch_size)):
                columns = example_columns(batch, types)
                rows += batch.num_rows
                yield columns
        except (ColumnError, *_FAULTS) as error:
            _let_through(error)
            column = error.column if isinstance(error, ColumnError) else None
            found = error.reason if isinstance(error, ColumnError) else str(error).strip()
            left = parquet.metadata.num_rows - rows
            reason = f"after row {rows}: {found}"
            on_broken(BrokenRow(path, reason, None, column=column, rows=left))


def _let_through(error: Exception) -> None:
    """Raise errors of the file system: the file may be sound but cannot be read now."""
    if isinstance(error, OSError) and error.errno is not None:
        raise error
