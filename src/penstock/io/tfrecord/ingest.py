"""Reading TFRecord files as rows for ingestion, in the form that is hashed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from penstock.io.examples.formats import payload_format_named
from penstock.io.examples.reader import DEFAULT_BATCH_SIZE, RecordDecoder
from penstock.io.examples.rows import Blocks, RowBlocks, Rows
from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken, leave_out
from penstock.io.tfrecord.blocks import BLOCK_BYTES, RecordBlock, read_record_blocks, records_of
from penstock.io.tfrecord.records import read_tfrecords

_HEADER_BYTES, _FRAME_BYTES = 12, 16


class DecodedRecords(NamedTuple):
    """Records, and the batch that they make."""

    records: list[bytes]
    batch: pa.RecordBatch


class PlacedRecords(NamedTuple):
    """Records of one file.

    Args:
        path: The file.
        first_row: How many sound records of the file come before.
        records: The records.
        offsets: Where the data of each starts in the uncompressed file.
    """

    path: str
    first_row: int
    records: list[bytes]
    offsets: list[int]


def read_record_rows(
    files: Sequence[str],
    payload_format: str,
    *,
    unify_schema: bool = False,
    batch_size: int = DEFAULT_BATCH_SIZE,
    on_broken: OnBroken | None = None,
) -> RowBlocks:
    """Read TFRecord files, gzipped or not.

    Features may change their type from record to record, as in TFX's ImportExampleGen; a batch
    within which a feature does so lacks that feature.

    Args:
        files: Paths or URLs, read in order.
        payload_format: What a record is.
        unify_schema: Whether all batches get the same columns, those of all records, to write
            Parquet. The files are then read twice.
        batch_size: The most rows per batch.
        on_broken: Called with each record that is corrupt or not of the payload format, which is
            left out; by default it is an error.

    Raises:
        TFRecordError: If a file is corrupt or truncated.
        ValueError: If a record is not of the payload format, or if, for Parquet, a feature changes
            its type.
    """

    def read() -> Blocks:
        schema = None
        if unify_schema:
            known = None if on_broken is None else leave_out
            decode = RecordDecoder(payload_format)
            schema = unified_schema(
                run.batch.schema
                for path in files
                for block in read_records(path, batch_size, known)
                for run in decoded_runs(decode, block, known)
            )
        to_rows = RowsOfRecords(payload_format, schema)
        blocks = (block for path in files for block in read_records(path, batch_size, on_broken))
        if on_broken is None:
            return Blocks(to_rows, blocks)
        return Blocks(to_rows.of_decoded, _decoded(payload_format, blocks, on_broken))

    return RowBlocks(read)


@dataclass(frozen=True)
class RowsOfRecords:
    """Makes rows from records; if called with a block, it decodes the records first.

    Args:
        payload_format: What a record is.
        schema: The columns of the rows; None for those of each block.
    """

    payload_format: str
    schema: pa.Schema | None

    def __call__(self, block: RecordBlock | PlacedRecords) -> Rows:
        """Decode a block of records; a broken one is an error."""
        runs = decoded_runs(RecordDecoder(self.payload_format), block, None)
        return self.of_decoded(joined(runs))

    def of_decoded(self, decoded: DecodedRecords) -> Rows:
        """Convert decoded records to the form that is hashed."""
        records, batch = decoded
        canonical = payload_format_named(self.payload_format).canonical(records, batch)
        return Rows(batch if self.schema is None else with_schema(batch, self.schema), canonical)


def _decoded(
    payload_format: str, blocks: Iterable[RecordBlock | PlacedRecords], on_broken: OnBroken
) -> Iterator[DecodedRecords]:
    decode = RecordDecoder(payload_format)
    for block in blocks:
        runs = decoded_runs(decode, block, on_broken)
        if runs:
            yield joined(runs)


def read_records(
    path: str, batch_size: int = DEFAULT_BATCH_SIZE, on_broken: OnBroken | None = None
) -> Iterator[RecordBlock | PlacedRecords]:
    """Read some thousand records of a TFRecord file at a time.

    Args:
        path: A local path or an fsspec URL.
        batch_size: The most records per block; there are fewer if they are large.
        on_broken: Called with each corrupt record, which is left out; by default it is an error.
    """
    if on_broken is None:
        yield from read_record_blocks(path, rows=batch_size)
        return
    place = size = first_row = 0

    def tell(row: BrokenRow) -> None:
        nonlocal place
        place = (row.offset or 0) + len(row.raw or b"")
        on_broken(row)

    records: list[bytes] = []
    offsets: list[int] = []
    for record in read_tfrecords(path, on_broken=tell):
        records.append(record)
        offsets.append(place + _HEADER_BYTES)
        place += len(record) + _FRAME_BYTES
        size += len(record) + _FRAME_BYTES
        if len(records) == batch_size or size >= BLOCK_BYTES:
            yield PlacedRecords(path, first_row, records, offsets)
            first_row += len(records)
            records, offsets, size = [], [], 0
    if records:
        yield PlacedRecords(path, first_row, records, offsets)


def decoded_runs(
    decode: RecordDecoder, block: RecordBlock | PlacedRecords, on_broken: OnBroken | None
) -> list[DecodedRecords]:
    """Decode records in runs within which no feature changes its type; usually there is one run.

    Args:
        decode: Decodes.
        block: The records.
        on_broken: Called with each record that is not of the payload format, which is left out; by
            default it is an error.

    Raises:
        TFRecordError: If a record is corrupt.
        ValueError: If a record is not of the payload format.
    """
    if isinstance(block, RecordBlock):
        starts = block.offset + _HEADER_BYTES
        offsets = [starts, *(block.ends[:-1] + starts).tolist()]
        block = PlacedRecords(block.path, block.first_row, records_of(block), offsets)
    return list(_runs(decode, block, on_broken or _refuse))


def _runs(
    decode: RecordDecoder, block: PlacedRecords, on_broken: OnBroken
) -> Iterator[DecodedRecords]:
    path, first_row, records, offsets = block
    try:
        yield DecodedRecords(records, decode(records, path, first_row))
    except ValueError as error:
        if len(records) == 1:
            reason = str(error).removeprefix(f"{path}: ")
            on_broken(BrokenRow(path, reason, records[0], offset=offsets[0]))
            return
        half = len(records) // 2
        for start, part in ((0, slice(half)), (half, slice(half, None))):
            yield from _runs(
                decode,
                PlacedRecords(path, first_row + start, records[part], offsets[part]),
                on_broken,
            )


def _refuse(row: BrokenRow) -> None:
    raise ValueError(str(row))


def joined(runs: Sequence[DecodedRecords]) -> DecodedRecords:
    """Join runs of records; a feature that changes its type between them is not in the batch."""
    if len(runs) == 1:
        return runs[0]
    types: dict[str, set[pa.DataType]] = {}
    for run in runs:
        for field in run.batch.schema:
            types.setdefault(field.name, set()).add(field.type)
    agreed = {name: kinds - {pa.null()} for name, kinds in types.items()}
    schema = pa.schema(
        [
            (name, kinds.pop() if kinds else pa.null())
            for name, kinds in sorted(agreed.items())
            if len(kinds) < 2
        ]
    )
    batch = pa.concat_batches([with_schema(run.batch, schema) for run in runs])
    return DecodedRecords([record for run in runs for record in run.records], batch)


def unified_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return the columns of all batches, by name.

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
                    f"others; Parquet needs one type per column."
                )
    return pa.schema(sorted(types.items()))


def with_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with the columns of a schema; those that it lacks are null."""
    names = set(batch.schema.names)
    columns = [
        batch.column(field.name).cast(field.type)
        if field.name in names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
