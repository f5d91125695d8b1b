"""The file that the predictions for a file of rows are written to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from penstock.artifacts.standard import DEFAULT_PAYLOAD_FORMAT
from penstock.bulk_inference.heads import HeadOutputs
from penstock.bulk_inference.output_columns import check_new, extended_records, output_columns
from penstock.bulk_inference.plan import InferencePlan
from penstock.bulk_inference.prediction_logs import prediction_logs
from penstock.bulk_inference.row_batches import RowBatch
from penstock.bulk_inference.specs import OutputColumnsSpec
from penstock.io import TFRecordWriter
from penstock.io.examples.reader import RecordDecoder
from penstock.io.examples.split_shards import ParquetShard


class OtherFeatures(Exception):
    """The rows have features, or types of them, that the first rows of the files did not have."""


class OutputFile:
    """The file that the predictions for a file of rows are written to.

    Args:
        plan: What is written.
        specs: The columns for each signature.
        path: The file, which is replaced.
    """

    def __init__(self, plan: InferencePlan, specs: dict[str, OutputColumnsSpec], path: str) -> None:
        self._plan = plan
        self._specs = specs
        self._path = path
        self._columns = plan.schema
        self._writer: TFRecordWriter | ParquetShard | None = None
        if plan.stored.compression is not None:
            self._writer = TFRecordWriter(path, plan.stored.compression, fast=True)
        self._decode: Callable[..., pa.RecordBatch] = RecordDecoder(DEFAULT_PAYLOAD_FORMAT)

    def write(self, batch: RowBatch, heads: Sequence[HeadOutputs]) -> None:
        """Append the predictions of a batch."""
        if self._plan.output is None:
            assert isinstance(self._writer, TFRecordWriter)
            self._writer.write_all(prediction_logs(batch.records.records, heads))
            return
        columns = output_columns(heads, self._specs)
        if isinstance(self._writer, TFRecordWriter):
            self._writer.write_all(extended_records(batch.records.records, columns))
            return
        rows = batch.columns
        if rows is None:
            rows = self._decode(batch.records.records, self._path, batch.first_row)
            if self._columns is not None and self._plan.guessed:
                _check_known(rows.schema, self._columns)
        if self._columns is not None:
            rows = conformed(rows, self._columns)
        check_new(list(columns), rows.schema.names)
        rows = pa.RecordBatch.from_arrays(
            [*rows.columns, *columns.values()], [*rows.schema.names, *columns]
        )
        if self._writer is None:
            self._writer = ParquetShard(self._path, rows.schema)
        self._writer.write_batch(rows)

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._writer is None:
            if error[0] is not None:
                return
            # A file without rows: what the model would return is not known.
            self._writer = ParquetShard(self._path, self._columns or pa.schema([]))
        self._writer.__exit__(*error)


def _check_known(found: pa.Schema, schema: pa.Schema) -> None:
    for column in found:
        index = schema.get_field_index(column.name)
        if index < 0 or (
            not pa.types.is_null(column.type) and schema.field(index).type != column.type
        ):
            raise OtherFeatures(column.name)


def conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the columns of a schema; a feature that no row of the batch has is null."""
    arrays = []
    for column in schema:
        index = batch.schema.get_field_index(column.name)
        known = index >= 0 and not pa.types.is_null(batch.schema.field(index).type)
        arrays.append(batch.column(index) if known else pa.nulls(batch.num_rows, column.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
