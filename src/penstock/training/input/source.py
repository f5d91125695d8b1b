"""The files of a data set, read a part at a time.

A part is what can be read on its own: a row group of a Parquet file, or a whole TFRecord file.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT, DEFAULT_PAYLOAD_FORMAT
from penstock.io.examples.formats import file_format_named
from penstock.io.files.filesystem import open_binary
from penstock.training.input.columns import Column, num_rows, slice_rows
from penstock.training.input.decode import decode_columns
from penstock.training.input.feature_columns import FeatureColumn
from penstock.training.input.layout import Layout

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

_PIECE_ROWS = 10_000
_PIECE_RECORDS = 2_000
"""Fewer, since the GIL is held while they are cut out of a file: the device waits so long at most."""
_PIECE_BYTES = 8 << 20
_SAMPLED = 8
_SAMPLED_RECORDS = 64


class Part(NamedTuple):
    """What can be read on its own.

    Attributes:
        file: The file.
        row_group: The row group of a Parquet file; None for a whole file.
        rows: How many rows it has; None if that is not known before it is read.
    """

    file: str
    row_group: int | None
    rows: int | None


class Piece(NamedTuple):
    """Consecutive rows of a part.

    Attributes:
        columns: The features, as `ExampleFiles.layout` packs them.
        nbytes: The bytes that they take.
    """

    columns: dict[str, Column]
    nbytes: int

    @property
    def rows(self) -> int:
        """The number of rows."""
        return num_rows(self.columns)


@dataclass(frozen=True)
class ExampleFiles:
    """Files of examples, and what is read of them.

    Attributes:
        files: Local paths or URLs.
        features: The features to read.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        payload_format: What a record is.
    """

    files: Sequence[str]
    features: Sequence[FeatureColumn]
    file_format: str = DEFAULT_FILE_FORMAT
    payload_format: str = DEFAULT_PAYLOAD_FORMAT

    @functools.cached_property
    def layout(self) -> Layout:
        """How pieces lie in memory."""
        return Layout(self.features)

    @property
    def holds_records(self) -> bool:
        """Whether the files are TFRecords."""
        return file_format_named(self.file_format).holds_records

    def parts(self) -> list[Part]:
        """Return the parts of all files in order; of Parquet files the metadata are read."""
        if self.holds_records:
            return [Part(file, None, None) for file in self.files]
        return [
            Part(file, group, metadata.row_group(group).num_rows)
            for file in self.files
            for metadata in [_open_parquet(file).metadata]
            for group in range(metadata.num_row_groups)
            if metadata.row_group(group).num_rows
        ]

    def row_bytes(self) -> int:
        """Return roughly the bytes of a row in memory; it depends on the data alone."""
        guessed = sum(feature.row_bytes for feature in self.features)
        if self.holds_records:
            return max(guessed, self._record_bytes())
        names = {feature.source for feature in self.features}
        for file in self.files:
            metadata = _open_parquet(file).metadata
            groups = [
                metadata.row_group(group) for group in range(min(metadata.num_row_groups, _SAMPLED))
            ]
            rows = sum(group.num_rows for group in groups)
            if rows:
                columns = [
                    group.column(number) for group in groups for number in range(group.num_columns)
                ]
                size: int = sum(
                    column.total_uncompressed_size
                    for column in columns
                    if column.path_in_schema.partition(".")[0] in names
                )
                return max(guessed, int(size // rows))
        return max(1, guessed)

    def _record_bytes(self) -> int:
        from itertools import islice

        from penstock.io.tfrecord.records import read_tfrecords

        for file in self.files:
            compression = file_format_named(self.file_format).compression
            sample = list(islice(read_tfrecords(file, compression=compression), _SAMPLED_RECORDS))
            if sample:
                return sum(map(len, sample)) // len(sample)
        return 1

    def read(self, part: Part, first_row: int, row_bytes: int) -> Iterator[Piece]:
        """Yield the rows of a part, from `first_row` on, in pieces of some thousand rows.

        Raises:
            ValueError: If a file is damaged, or holds what the schema does not allow.
        """
        fitting = max(1, _PIECE_BYTES // max(1, row_bytes))
        if self.holds_records:
            return self._read_records(part, first_row, min(_PIECE_RECORDS, fitting))
        return self._read_row_group(part, first_row, min(_PIECE_ROWS, fitting))

    def count(self, part: Part) -> int:
        """Return the rows of a part, without decoding them."""
        if part.rows is not None:
            return part.rows
        from penstock.io.tfrecord.blocks import read_record_blocks

        compression = file_format_named(self.file_format).compression
        return sum(
            len(each.ends) for each in read_record_blocks(part.file, compression=compression)
        )

    def _read_row_group(self, part: Part, first_row: int, rows: int) -> Iterator[Piece]:
        wanted = {feature.source for feature in self.features}
        with open_binary(part.file) as file:
            parquet = _parquet_of(part.file, file)
            known = [name for name in parquet.schema_arrow.names if name in wanted]
            try:
                done = 0
                for batch in parquet.iter_batches(
                    rows, row_groups=[part.row_group], columns=known, use_threads=False
                ):
                    skipped = max(0, min(batch.num_rows, first_row - done))
                    done += batch.num_rows
                    if skipped < batch.num_rows:
                        row = done - batch.num_rows + skipped
                        where = f"{part.file} (row group {part.row_group}, rows from {row})"
                        yield self._piece(batch.slice(skipped), where)
            except (pa.ArrowInvalid, OSError) as error:
                raise ValueError(f"{part.file}: damaged Parquet file ({error})") from error

    def _read_records(self, part: Part, first_row: int, rows: int) -> Iterator[Piece]:
        from penstock.io.examples.reader import RecordDecoder
        from penstock.io.tfrecord.blocks import read_record_blocks, records_of

        decode = RecordDecoder(self.payload_format, self._schema())
        compression = file_format_named(self.file_format).compression
        for block in read_record_blocks(part.file, compression=compression, rows=rows):
            skipped = first_row - block.first_row
            if skipped >= len(block.ends):
                continue
            batch = decode(records_of(block), part.file, block.first_row)
            where = f"{part.file} (rows from {block.first_row})"
            piece = self._piece(batch, where)
            if skipped > 0:
                kept = slice_rows(piece.columns, skipped, piece.rows)
                piece = Piece(kept, piece.nbytes)
            yield piece

    def _piece(self, batch: pa.RecordBatch, where: str) -> Piece:
        columns, nbytes = decode_columns(batch, self.features, where)
        return Piece(self.layout.pack(columns), nbytes)

    def _schema(self) -> schema_pb2.Schema:
        from tensorflow_metadata.proto.v0 import schema_pb2

        kinds = {"float32": schema_pb2.FLOAT, "int64": schema_pb2.INT, "object": schema_pb2.BYTES}
        schema = schema_pb2.Schema()
        for source, dtype in {each.source: each.dtype for each in self.features}.items():
            schema.feature.add(name=source, type=kinds[str(dtype)])
        return schema


def _open_parquet(path: str) -> Any:
    with open_binary(path) as file:
        return _parquet_of(path, file)


def _parquet_of(path: str, file: Any) -> Any:
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file, page_checksum_verification=True)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: not a Parquet file ({error})") from error
