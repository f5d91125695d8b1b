"""The rows of a file in batches, serialized, and the features that they have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from penstock.bulk_inference.plan import InferencePlan
from penstock.io import read_record_batches, serialize_examples
from penstock.io.examples.formats import file_format_named
from penstock.io.examples.reader import RecordDecoder
from penstock.io.tfrecord.blocks import read_record_lists
from penstock.serving.serialized_examples import SerializedExamples

if TYPE_CHECKING:
    from penstock.io import ExamplesSplit


class RowBatch(NamedTuple):
    """Some rows of a file.

    Args:
        records: The rows.
        columns: Their features, if the file is of columns.
        first_row: How many rows of the file come before.
    """

    records: SerializedExamples
    columns: pa.RecordBatch | None
    first_row: int


def row_batches(
    plan: InferencePlan, split: ExamplesSplit, *, batch_size: int | None = None
) -> Iterator[RowBatch]:
    """Yield the rows of a split of one file in batches, in order.

    Args:
        plan: How large batches are at most.
        split: The split.
        batch_size: The most rows of a batch; by default the plan's.

    Raises:
        TFRecordError: If the file is damaged.
    """
    (path,) = split.files
    rows = batch_size or plan.batch_size
    stored = file_format_named(split.file_format)
    if stored.compression is not None:
        first_row = 0
        for records in read_record_lists(
            path, compression=stored.compression, rows=rows, size=plan.batch_bytes
        ):
            yield RowBatch(SerializedExamples(records), None, first_row)
            first_row += len(records)
        return
    first_row = 0
    for batch in read_record_batches([path], file_format=split.file_format, batch_size=rows):
        records = serialize_examples(batch, missing="absent").to_pylist()
        start = 0
        for count in _counts(records, plan.batch_bytes):
            part = batch.slice(start, count)
            yield RowBatch(
                SerializedExamples(records[start : start + count]), part, first_row + start
            )
            start += count
        first_row += batch.num_rows


def _counts(records: Sequence[bytes], most: int) -> Iterator[int]:
    """Yield how many rows each batch has, so that none has more bytes than `most`."""
    count = size = 0
    for record in records:
        if count and size + len(record) > most:
            yield count
            count = size = 0
        count += 1
        size += len(record)
    if count:
        yield count


def feature_types(
    split: ExamplesSplit, plan: InferencePlan, first_rows: int | None = None
) -> pa.Schema:
    """Return the features of a file of records with their types; Arrow's null type where no row has one.

    Args:
        split: The file.
        plan: How large batches are at most.
        first_rows: How many of the first rows are looked at; None for all.
    """
    found = pa.schema([])
    decode = RecordDecoder(split.payload_format)
    (path,) = split.files
    for batch in row_batches(plan, split, batch_size=first_rows):
        types = decode(batch.records.records, path, batch.first_row).schema
        found = joined_types([found, types], path)
        if first_rows is not None:
            break
    return found


def joined_types(schemas: Sequence[pa.Schema], path: str) -> pa.Schema:
    """Return the features of all schemas, in the order in which they come.

    Raises:
        ValueError: If a feature has two types.
    """
    types: dict[str, pa.DataType] = {}
    for schema in schemas:
        for column in schema:
            known = types.get(column.name)
            if known is None or pa.types.is_null(known):
                types[column.name] = column.type
            elif not pa.types.is_null(column.type) and column.type != known:
                raise ValueError(
                    f"The feature {column.name!r} is {known} in some rows and {column.type} in others "
                    f"(up to {path}), so it is no column of Parquet. Write TFRecords."
                )
    return pa.schema(list(types.items()))
