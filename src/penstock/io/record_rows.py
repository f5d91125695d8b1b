"""Reading TFRecord files as rows for ingestion, in the form that is hashed."""

from collections.abc import Iterator, Sequence
from itertools import islice

import pyarrow as pa

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
) -> Iterator[Rows]:
    """Reads TFRecord files, gzipped or not.

    Args:
        files: Paths or URLs, read in order.
        payload_format: What a record is.
        unify_schema: Whether all batches get the same columns, those of all records, for writing
            Parquet. The files are then read twice.
        batch_size: Rows a batch, at most.

    Raises:
        ValueError: If a record is not of the payload format, or a feature changes its type.
    """
    schema = _unified_schema(files, payload_format, batch_size) if unify_schema else None
    for records, batch in _decoded(files, payload_format, batch_size):
        canonical = canonical_records(records, batch, payload_format)
        yield Rows(batch if schema is None else _with_schema(batch, schema), canonical)


def _decoded(
    files: Sequence[str], payload_format: str, batch_size: int
) -> Iterator[tuple[list[bytes], pa.RecordBatch]]:
    decode = RecordDecoder(payload_format)
    for path in files:
        reader = read_tfrecords(path)
        first_row = 0
        while records := list(islice(reader, batch_size)):
            yield records, decode(records, path, first_row)
            first_row += len(records)


def _unified_schema(files: Sequence[str], payload_format: str, batch_size: int) -> pa.Schema:
    types: dict[str, pa.DataType] = {}
    for _, batch in _decoded(files, payload_format, batch_size):
        for field in batch.schema:
            known = types.get(field.name, pa.null())
            if pa.types.is_null(known):
                types[field.name] = field.type
            elif not pa.types.is_null(field.type) and field.type != known:
                raise ValueError(
                    f"Feature {field.name!r} is {field.type} in some records and {known} in "
                    f"others; Parquet needs one type a column."
                )
    return pa.schema(sorted(types.items()))


def _with_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    names = set(batch.schema.names)
    columns = [
        batch.column(field.name).cast(field.type)
        if field.name in names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
