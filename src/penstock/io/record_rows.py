"""Reading TFRecord files as rows for ingestion, in the form that is hashed."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import pyarrow as pa

from penstock.io.broken_rows import BrokenRow, OnBroken
from penstock.io.canonical_records import canonical_records
from penstock.io.examples_reader import DEFAULT_BATCH_SIZE, RecordDecoder
from penstock.io.ingestion import Rows
from penstock.io.tfrecord import read_tfrecords


def read_record_rows(
    files: Sequence[str],
    payload_format: str,
    *,
    unify_schema: bool = False,
    batch_size: int = DEFAULT_BATCH_SIZE,
    on_broken: OnBroken | None = None,
) -> Iterator[Rows]:
    """Reads TFRecord files, gzipped or not.

    Args:
        files: Paths or URLs, read in order.
        payload_format: What a record is.
        unify_schema: Whether all batches get the same columns, those of all records, for writing
            Parquet. The files are then read twice.
        batch_size: Rows a batch, at most.
        on_broken: Is told of each record that is corrupt or not of the payload format, which is
            left out; by default it is an error.

    Raises:
        TFRecordError: If a file is corrupt or truncated.
        ValueError: If a record is not of the payload format, or a feature changes its type.
    """
    schema = None
    if unify_schema:
        known = None if on_broken is None else leave_out
        first_pass = _decoded(files, payload_format, batch_size, known)
        schema = unified_schema(batch.schema for _, batch in first_pass)
    for records, batch in _decoded(files, payload_format, batch_size, on_broken):
        canonical = canonical_records(records, batch, payload_format)
        yield Rows(batch if schema is None else with_schema(batch, schema), canonical)


def leave_out(row: BrokenRow) -> None:
    """Leaves out a broken row that another pass tells of."""


def _decoded(
    files: Sequence[str], payload_format: str, batch_size: int, on_broken: OnBroken | None
) -> Iterator[tuple[list[bytes], pa.RecordBatch]]:
    decode = RecordDecoder(payload_format)
    for path in files:
        reader = read_tfrecords(path, on_broken=on_broken)
        first_row = 0
        while records := list(islice(reader, batch_size)):
            decoded = decode_records(decode, records, path, first_row, on_broken)
            if decoded is not None:
                yield decoded
            first_row += len(records)


def decode_records(
    decode: RecordDecoder,
    records: list[bytes],
    path: str,
    first_row: int,
    on_broken: OnBroken | None,
) -> tuple[list[bytes], pa.RecordBatch] | None:
    """Decodes records, and returns with the batch those that it holds; None if there are none.

    Args:
        decode: Decodes.
        records: Records of one file.
        path: The file.
        first_row: The number of the first record in the file, from 0.
        on_broken: Is told of each record that is not of the payload format, which is left out; by
            default it is an error.
    """
    try:
        return records, decode(records, path, first_row)
    except ValueError:
        if on_broken is None:
            raise
    kept = _decodable(decode, records, path, first_row, on_broken)
    return (kept, decode(kept, path, first_row)) if kept else None


def _decodable(
    decode: RecordDecoder, records: list[bytes], path: str, first_row: int, on_broken: OnBroken
) -> list[bytes]:
    """Decodes records one by one; tells of those that fail and returns the others."""
    kept = []
    for row, record in enumerate(records, start=first_row):
        try:
            decode([record], path, row)
        except ValueError as error:
            reason = str(error).removeprefix(f"{path}: ")
            on_broken(BrokenRow(path, reason, record))
        else:
            kept.append(record)
    return kept


def unified_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Returns the columns of all batches, by name.

    Raises:
        ValueError: If a feature changes its type.
    """
    types: dict[str, pa.DataType] = {}
    for schema in schemas:
        for field in schema:
            known = types.get(field.name, pa.null())
            if pa.types.is_null(known):
                types[field.name] = field.type
            elif not pa.types.is_null(field.type) and field.type != known:
                raise ValueError(
                    f"Feature {field.name!r} is {field.type} in some records and {known} in "
                    f"others; Parquet needs one type a column."
                )
    return pa.schema(sorted(types.items()))


def with_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Gives a batch the columns of a schema; one that it lacks is null."""
    names = set(batch.schema.names)
    columns = [
        batch.column(field.name).cast(field.type)
        if field.name in names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
