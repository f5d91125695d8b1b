"""Reading the folders of an Examples artifact as Arrow RecordBatches."""

import functools
import glob
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT, DEFAULT_PAYLOAD_FORMAT
from penstock.io.arrow.arrays import one_value_lists
from penstock.io.examples.formats import file_format_named, payload_format_named
from penstock.io.files.filesystem import join, list_directory, list_matching, open_binary
from penstock.io.tfrecord.records import Compression, read_tfrecords

if TYPE_CHECKING:
    import pyarrow.parquet as pq
    from tensorflow_metadata.proto.v0 import schema_pb2

DEFAULT_BATCH_SIZE = 10_000
BATCH_BYTES = 64 << 20
"""Serialized bytes from which a batch has enough rows, however few they are."""
_RECORDS_AT_ONCE = 16
_SPLIT_PREFIX = "Split-"


def split_names(uri: str) -> list[str]:
    """List the splits that a folder of Examples holds."""
    return [
        name.removeprefix(_SPLIT_PREFIX)
        for name in list_directory(uri)
        if name.startswith(_SPLIT_PREFIX)
    ]


def split_files(uri: str, split: str) -> list[str]:
    """List the shards of one split, sorted.

    Args:
        uri: The folder of an Examples artifact.
        split: The split's name.

    Raises:
        FileNotFoundError: If the split has no files; the message names the splits that exist.

    Example:
        >>> split_files("root/CsvExampleGen/examples/1", "train")
        ['root/CsvExampleGen/examples/1/Split-train/data_tfrecord-00000-of-00001.gz']
    """
    folder = join(uri, _SPLIT_PREFIX + split)
    found = list_matching(join(glob.escape(folder), "*"))
    if not found:
        raise FileNotFoundError(
            f"Split {split!r} has no files: looked for {folder}/*. "
            f"Splits there: {split_names(uri) or 'none'}"
        )
    return found


def read_record_batches(
    files: Iterable[str],
    *,
    file_format: str = DEFAULT_FILE_FORMAT,
    payload_format: str = DEFAULT_PAYLOAD_FORMAT,
    schema: "schema_pb2.Schema | None" = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
    columns: Sequence[str] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Read files of Examples as RecordBatches; every column holds one list of values per row.

    Args:
        files: Local paths or fsspec URLs, read in order.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet" (an Examples artifact's
            `file_format` property).
        payload_format: What a record is: "FORMAT_TF_EXAMPLE", "FORMAT_TF_SEQUENCE_EXAMPLE" (its
            sequence features come as a struct column `##SEQUENCE##`), or "FORMAT_PROTO" (one bytes
            column `raw_record`).
        schema: The features to read, with their types; features that no record has become columns
            of nulls. Without it, types are inferred batch by batch, and a feature without values in
            a batch gets Arrow's null type.
        batch_size: The most rows per batch; batches of large rows are smaller (64 MiB).
        columns: The columns to keep; by default all.

    Raises:
        FileNotFoundError: If a file does not exist.
        TFRecordError: If a file is corrupt or truncated.
        ValueError: If a record is not a tf.Example, or a format is unknown.

    Example:
        >>> for batch in read_record_batches(split_files(uri, "train")):
        ...     print(batch.num_rows, batch.schema.names)
    """
    compression = file_format_named(file_format).compression
    decode = RecordDecoder(payload_format, schema)
    if compression is None:
        batches = _read_parquet(files, batch_size, columns)
    else:
        batches = _read_records(files, compression, decode, batch_size)
    # By `map`, which lets go of a batch before it asks for the next one.
    yield from batches if columns is None else map(functools.partial(_select, columns), batches)


def _select(columns: Sequence[str], batch: pa.RecordBatch) -> pa.RecordBatch:
    kept = set(columns)
    return batch.select([name for name in batch.schema.names if name in kept])


def _read_records(
    files: Iterable[str], compression: Compression, decode: "RecordDecoder", batch_size: int
) -> Iterator[pa.RecordBatch]:
    for path in files:
        first_row = 0
        for batch in batched_records(read_tfrecords(path, compression=compression), batch_size):
            yield decode(batch, path, first_row)
            first_row += len(batch)


def batched_records(records: Iterator[bytes], batch_size: int) -> Iterator[list[bytes]]:
    """Gather records into batches of `batch_size`, or of fewer if they are large (64 MiB)."""
    batch: list[bytes] = []
    size = 0
    while more := list(islice(records, min(_RECORDS_AT_ONCE, batch_size - len(batch)))):
        batch += more
        size += sum(map(len, more))
        if len(batch) == batch_size or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def batch_rows(parquet: "pq.ParquetFile", batch_size: int) -> int:
    """Return how many rows of a Parquet file make a batch: fewer than `batch_size` if they are large."""
    metadata = parquet.metadata
    size = sum(
        metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)
    )
    fitting: int = BATCH_BYTES * metadata.num_rows // max(1, size)
    return max(1, min(batch_size, fitting))


class RecordDecoder:
    """Decodes serialized records into a RecordBatch.

    Args:
        payload_format: What a record is.
        schema: The features to decode, with their types.
    """

    def __init__(self, payload_format: str, schema: "schema_pb2.Schema | None" = None) -> None:
        self._payload = payload_format_named(payload_format)
        self._decode = self._payload.decoder(schema)

    def __call__(self, records: list[bytes], path: str, first_row: int) -> pa.RecordBatch:
        """Decode records, the first of which is row `first_row` of the file `path`.

        Raises:
            ValueError: If a record is not of the payload format.
        """
        try:
            return self._decode(records)
        except (RuntimeError, ValueError) as error:
            last_row = first_row + len(records) - 1
            which = f"s {first_row} to {last_row}" if last_row > first_row else f" {first_row}"
            raise ValueError(
                f"{path}: cannot decode record{which} as {self._payload.name}: {error}"
            ) from error


def _read_parquet(
    files: Iterable[str], batch_size: int, columns: Sequence[str] | None
) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    for path in files:
        with open_binary(path) as file:
            try:
                parquet = pq.ParquetFile(file, page_checksum_verification=True)
            except pa.ArrowInvalid as error:
                raise ValueError(f"{path}: not a Parquet file ({error})") from error
            known = [
                name for name in parquet.schema_arrow.names if columns is None or name in columns
            ]
            try:
                for batch in parquet.iter_batches(batch_rows(parquet, batch_size), columns=known):
                    yield as_list_columns(batch)
            except (pa.ArrowInvalid, OSError) as error:
                raise ValueError(f"{path}: damaged Parquet file ({error})") from error


def as_list_columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Convert columns of single values to columns of lists; a null cell stays null."""
    columns = []
    for column in batch.columns:
        if pa.types.is_nested(column.type) or pa.types.is_null(column.type):
            columns.append(column)
            continue
        values = column
        if pa.types.is_float64(values.type) or pa.types.is_float16(values.type):
            values = values.cast(pa.float32())
        elif pa.types.is_string(values.type):
            values = values.cast(pa.binary())
        elif pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
            values = values.cast(pa.int64())
        columns.append(one_value_lists(values))
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)
