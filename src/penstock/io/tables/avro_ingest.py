"""Reading Avro files as rows for ingestion."""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from penstock.io.examples.rows import Blocks, RowBlocks, Rows, rows_of_batch
from penstock.io.files.filesystem import FilePath, file_paths, open_binary
from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken
from penstock.io.tables.avro_parts import AvroPart, fastavro, read_parts, told
from penstock.io.tables.column_agreement import TableTypes
from penstock.io.tables.example_columns import ColumnError, example_columns

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
    files: FilePath | Sequence[FilePath],
    *,
    types: Mapping[str, pa.DataType] | None = None,
    on_broken: OnBroken | None = None,
) -> Iterator[pa.RecordBatch]:
    """Read Avro files as RecordBatches whose columns are lists of int64, float32 or bytes.

    All files must have the fields of the first. A field is a number, boolean, string, bytes, enum,
    date, time or decimal, an array of those, or a union of one of them with null (or of numbers).

    Args:
        files: Local paths or fsspec URLs.
        types: The fields' value types, if they are known; by default those of the files.
        on_broken: Called with each damaged block and each file that is not Avro or has other
            fields; they are left out. By default they are errors.

    Raises:
        ImportError: If fastavro is not installed.
        FileNotFoundError: If a file does not exist.
        AvroError: If a file is damaged or has other fields.

    Example:
        >>> next(read_avro(["users.avro"])).schema.names
        ['name', 'age']
    """
    for batch in _read(file_paths(files), types, on_broken or _refuse):
        if batch.num_rows:
            yield batch


def avro_rows(files: Sequence[str], on_broken: OnBroken | None = None) -> RowBlocks:
    """Read Avro files as rows, see `read_avro`; a missing cell gets a feature without a kind."""

    def read() -> Blocks:
        if on_broken is not None:
            return Blocks(_kindless, _read(files, None, on_broken))
        agreed = TableTypes("Avro")
        sound = agreed.survey(files, survey_avro, _refuse)
        parts = (part for path in sound for part in read_parts(path, _refuse))
        return Blocks(_RowsOfPart(agreed.agreed), parts)

    return RowBlocks(read)


@dataclass(frozen=True)
class _RowsOfPart:
    types: Mapping[str, pa.DataType]

    def __call__(self, part: AvroPart) -> Rows:
        return _kindless(_batch_of(part, self.types, _refuse))


def _kindless(batch: pa.RecordBatch) -> Rows:
    return rows_of_batch(batch, missing="kindless")


def _refuse(row: BrokenRow) -> None:
    raise AvroError(str(row))


def survey_avro(path: str, types: TableTypes) -> BrokenRow | None:
    """Add a file's columns to those that all files agree on.

    Args:
        path: The file.
        types: The fields' types in the files before it.

    Returns:
        The problem of the file; None if it is sound.
    """
    block_reader = fastavro().block_reader
    with open_binary(path) as file:
        try:
            reader = block_reader(file)
        except OSError:
            raise
        except Exception as error:
            return BrokenRow(path, f"not an Avro file, or damaged: {told(error)}", None)
        try:
            next(reader, None)
        except ValueError as error:
            if "codec" in str(error):
                reason = f"its blocks cannot be decompressed: {error}. Use deflate or null."
                return BrokenRow(path, reason, None)
        except Exception:
            pass  # `read_parts` tells of damaged blocks
        schema = reader.writer_schema
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
    files: Sequence[str], types: Mapping[str, pa.DataType] | None, on_broken: OnBroken
) -> Iterator[pa.RecordBatch]:
    if types is None:
        agreed = TableTypes("Avro")
        files = agreed.survey(files, survey_avro, on_broken)
        types = agreed.agreed
    for path in files:
        for part in read_parts(path, on_broken):
            yield _batch_of(part, types, on_broken)


def _batch_of(
    part: AvroPart, types: Mapping[str, pa.DataType], on_broken: OnBroken
) -> pa.RecordBatch:
    """Decode a part without the blocks that are damaged or hold values that do not fit."""
    try:
        return _as_batch(part.records(), types)
    except Exception as error:  # fastavro raises many kinds
        if len(part.blocks) > 1:
            singles = [_batch_of(single, types, on_broken) for single in part.single_blocks()]
            return pa.concat_batches(singles)
        column = error.column if isinstance(error, ColumnError) else None
        reason = error.reason if isinstance(error, ColumnError) else told(error)
        on_broken(
            BrokenRow(
                part.path,
                f"damaged block: {reason}",
                part.blocks[0],
                offset=part.offset,
                column=column,
                rows=part.rows,
            )
        )
        return _as_batch([], types)


def _as_batch(
    records: Sequence[Mapping[str, Any]], types: Mapping[str, pa.DataType]
) -> pa.RecordBatch:
    columns = [_column([record[name] for record in records], kind) for name, kind in types.items()]
    return example_columns(pa.RecordBatch.from_arrays(columns, list(types)), types)


def _column(cells: list[Any], kind: pa.DataType) -> pa.Array:
    found = set(map(type, cells)) - {type(None)}
    if not found:
        return pa.nulls(len(cells))
    if len(found) == 1 and found <= _NATIVE.keys():
        return pa.array(cells, _NATIVE[found.pop()])
    plain = [_plain(cell, kind) for cell in cells]
    plain_kind = pa.float64() if pa.types.is_floating(kind) else kind
    return pa.array(plain, pa.large_list(plain_kind) if list in found else plain_kind)


# Python's types that Arrow takes as they are.
_NATIVE = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    bytes: pa.large_binary(),
    str: pa.large_string(),
}


def _plain(cell: Any, kind: pa.DataType) -> Any:
    if cell is None:
        return None
    if isinstance(cell, list):
        return [_plain(value, kind) for value in cell]
    if pa.types.is_floating(kind):
        return float(cell)
    if pa.types.is_integer(kind):
        return int(cell)
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat().replace("+00:00", "Z").encode()
    return cell if isinstance(cell, bytes) else str(cell).encode()
