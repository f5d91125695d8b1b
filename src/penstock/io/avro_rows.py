"""Reading Avro files as rows for ingestion."""

import datetime
import decimal
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from penstock.io.broken_rows import BrokenRow, OnBroken
from penstock.io.files import open_binary
from penstock.io.table_columns import ColumnError, example_columns
from penstock.io.table_types import TableTypes

# How much of a file is quarantined when its blocks can no longer be told apart.
_KEPT_BYTES = 64 << 20
_VALUE_TYPES = {
    "null": pa.null(),
    "boolean": pa.int64(),
    "int": pa.int64(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float32(),
    "bytes": pa.large_binary(),
    "string": pa.large_binary(),
    "enum": pa.large_binary(),
    "fixed": pa.large_binary(),
}


class AvroError(ValueError):
    """An Avro file cannot be read, or has other columns; the message names the file."""


def read_avro(
    files: Sequence[str],
    *,
    types: Mapping[str, pa.DataType] | None = None,
    on_broken: OnBroken | None = None,
) -> Iterator[pa.RecordBatch]:
    """Reads Avro files as RecordBatches whose columns are lists of int64, float32 or bytes.

    All files have the fields of the first. A field is a number, boolean, string, bytes, enum, date,
    time or decimal, an array of those, or a union of one of them with null (or of numbers). A block
    of the file becomes a batch.

    Args:
        files: Local paths or fsspec URLs.
        types: The fields' value types, if they are known; by default those of the files.
        on_broken: Is told of each damaged block and of each file that is none or has other fields;
            they are left out. By default that is an error.

    Raises:
        ImportError: If fastavro is not installed.
        FileNotFoundError: If a file does not exist.
        AvroError: If a file is damaged or has other fields.

    Example:
        >>> next(read_avro(["users.avro"])).schema.names
        ['name', 'age']
    """
    sound = list(files)
    if types is None:
        agreed = TableTypes("Avro")
        sound = []
        for path in files:
            row = survey_avro(path, agreed)
            if row is None:
                sound.append(path)
            elif on_broken is None:
                raise AvroError(str(row))
            else:
                on_broken(row)
        types = agreed.agreed
    for path in sound:
        yield from _read(path, types, on_broken)


def _fastavro() -> Any:
    try:
        import fastavro
    except ImportError as error:
        raise ImportError(
            "Reading Avro files needs fastavro: pip install 'penstock[avro]'"
        ) from error
    return fastavro


def survey_avro(path: str, types: TableTypes) -> BrokenRow | None:
    """Adds the columns of a file to those that all files agree on.

    Args:
        path: The file.
        types: Those of the files before it.

    Returns:
        What is wrong with the file; None if it is sound.
    """
    reader = _fastavro().block_reader
    with open_binary(path) as file:
        try:
            schema = reader(file).writer_schema
        except Exception as error:
            return BrokenRow(path, f"not an Avro file, or damaged: {_told(error)}", None)
    try:
        if not isinstance(schema, dict) or schema.get("type") != "record":
            raise ColumnError("", f"Expected records. The file holds {schema!r}")
        found = {
            field["name"]: _field_type(field["name"], field["type"]) for field in schema["fields"]
        }
        types.add(path, found)
    except ColumnError as error:
        return BrokenRow(path, error.reason, None, column=error.column or None)
    return None


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _field_type(name: str, schema: Any) -> pa.DataType:
    if isinstance(schema, list):
        kinds = [_field_type(name, branch) for branch in schema]
        distinct = {kind for kind in kinds if not pa.types.is_null(kind)}
        if distinct == {pa.int64(), pa.float32()}:
            return pa.float32()
        if len(distinct) <= 1:
            return distinct.pop() if distinct else pa.null()
    elif isinstance(schema, dict):
        if schema.get("logicalType") in _LOGICAL:
            return _LOGICAL[schema["logicalType"]]
        if schema["type"] == "array":
            if not _is_array(schema["items"]):
                return _field_type(name, schema["items"])
        elif schema["type"] in _VALUE_TYPES:
            return _VALUE_TYPES[schema["type"]]
    elif schema in _VALUE_TYPES:
        return _VALUE_TYPES[schema]
    raise ColumnError(
        name,
        f"of type {schema!r} does not fit into a tf.Example. Expected numbers, booleans, strings, "
        f"bytes, dates or times, or arrays of them: convert or leave out the field.",
    )


_LOGICAL = dict.fromkeys(
    (
        "date",
        "time-millis",
        "time-micros",
        "timestamp-millis",
        "timestamp-micros",
        "local-timestamp-millis",
        "local-timestamp-micros",
        "uuid",
    ),
    pa.large_binary(),
) | {"decimal": pa.float32()}


def _is_array(schema: Any) -> bool:
    branches = schema if isinstance(schema, list) else [schema]
    return any(isinstance(branch, dict) and branch.get("type") == "array" for branch in branches)


def _read(
    path: str, types: Mapping[str, pa.DataType], on_broken: OnBroken | None
) -> Iterator[pa.RecordBatch]:
    with open_binary(path) as file:
        blocks = iter(_fastavro().block_reader(file))
        rows = 0
        while True:
            before = file.tell()
            try:
                block = next(blocks, None)
            except Exception as error:
                file.seek(before)
                reason = f"damaged after row {rows}: {_told(error)}"
                _tell(
                    BrokenRow(path, reason, file.read(_KEPT_BYTES), offset=before), on_broken, error
                )
                return
            if block is None:
                return
            try:
                batch = _as_batch(list(block), types)
            except Exception as error:
                file.seek(before)
                raw = file.read(block.size)
                column = error.column if isinstance(error, ColumnError) else None
                reason = f"damaged block: {_told(error)}"
                lost = block.num_records
                _tell(
                    BrokenRow(path, reason, raw, offset=before, column=column, rows=lost),
                    on_broken,
                    error,
                )
                file.seek(before + block.size)
            else:
                if batch.num_rows:
                    yield batch
            rows += block.num_records


def _tell(row: BrokenRow, on_broken: OnBroken | None, cause: Exception) -> None:
    if on_broken is None:
        raise AvroError(str(row)) from cause
    on_broken(row)


def _as_batch(
    records: Sequence[Mapping[str, Any]], types: Mapping[str, pa.DataType]
) -> pa.RecordBatch:
    columns = {}
    for name, kind in types.items():
        cells = [_plain(record[name]) for record in records]
        nested = any(isinstance(cell, list) for cell in cells)
        columns[name] = pa.array(cells, pa.large_list(kind) if nested else kind)
    batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
    return example_columns(batch, types)


def _plain(cell: Any) -> Any:
    if isinstance(cell, list):
        return [_plain(value) for value in cell]
    if isinstance(cell, bool):
        return int(cell)
    if isinstance(cell, decimal.Decimal):
        return float(cell)
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat().replace("+00:00", "Z").encode()
    return str(cell).encode() if isinstance(cell, str | uuid.UUID) else cell
