"""Writing the folders of an Examples artifact: `Split-<name>/data_tfrecord-00000-of-00001.gz`."""

import json
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from penstock.io.example_serialization import MissingAs, serialize_examples
from penstock.io.files import join, open_binary
from penstock.io.tfrecord import TFRecordWriter

ROW_COUNTS_FILE = "row_counts.json"

_WRITABLE_FORMATS = ("tfrecords_gzip", "tfrecords", "parquet")


class ExamplesWriter:
    """Writes the splits of an Examples artifact and counts their rows.

    On `close` every split has a file, also one without rows, and `row_counts.json` beside the
    split folders holds the rows of each split.

    Args:
        uri: The artifact's folder, local; made when it does not exist.
        splits: The names of the splits.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        name: The shard's name without its number; by default `data_tfrecord`, in Parquet
            `data_parquet`.
        missing: What a null cell becomes, see `serialize_examples`.

    Example:
        >>> with ExamplesWriter("/tmp/examples", ["train", "eval"]) as writer:
        ...     writer.write("train", batch)
        >>> writer.row_counts
        {'train': 3, 'eval': 0}
    """

    def __init__(
        self,
        uri: str,
        splits: Sequence[str],
        *,
        file_format: str = "tfrecords_gzip",
        name: str | None = None,
        missing: MissingAs = "empty",
    ) -> None:
        if file_format not in _WRITABLE_FORMATS:
            raise ValueError(
                f"file_format must be one of {list(_WRITABLE_FORMATS)}. "
                f"Received: file_format={file_format!r}"
            )
        self.row_counts = dict.fromkeys(splits, 0)
        self._uri = uri
        self._parquet = file_format == "parquet"
        self._gzip = file_format == "tfrecords_gzip"
        self._missing = missing
        base = name or ("data_parquet" if self._parquet else "data_tfrecord")
        extension = ".parquet" if self._parquet else ".gz" if self._gzip else ""
        self._file_name = f"{base}-00000-of-00001{extension}"
        self._writers: dict[str, Any] = {}

    def path_of(self, split: str) -> str:
        """Returns the file that a split is written to."""
        if split not in self.row_counts:
            raise ValueError(
                f"ExamplesWriter was opened for the splits {list(self.row_counts)}. "
                f"Received: split={split!r}"
            )
        return join(self._uri, f"Split-{split}", self._file_name)

    def write(self, split: str, batch: pa.RecordBatch) -> None:
        """Appends the rows of a batch to a split."""
        if self._parquet:
            writer = self._writer_of(split, batch.schema)
            writer.write_batch(batch)
            self.row_counts[split] += batch.num_rows
        else:
            self.write_records(split, serialize_examples(batch, missing=self._missing).to_pylist())

    def write_records(self, split: str, records: Sequence[bytes]) -> None:
        """Appends serialized records to a split (TFRecord formats only)."""
        if self._parquet:
            raise ValueError("Serialized records cannot be written as Parquet; write batches.")
        self._writer_of(split, None).write_all(records)
        self.row_counts[split] += len(records)

    def _writer_of(self, split: str, schema: pa.Schema | None) -> Any:
        if split not in self._writers:
            path = self.path_of(split)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if self._parquet:
                import pyarrow.parquet as pq

                self._writers[split] = pq.ParquetWriter(path, schema, compression="zstd")
            else:
                self._writers[split] = TFRecordWriter(path, "GZIP" if self._gzip else "")
        return self._writers[split]

    def close(self) -> None:
        """Completes every split and writes the row counts."""
        empty = pa.schema([])
        written = [writer.schema for writer in self._writers.values()] if self._parquet else []
        for split in self.row_counts:
            self._writer_of(split, written[0] if written else empty)
        for writer in self._writers.values():
            writer.close()
        with open(join(self._uri, ROW_COUNTS_FILE), "w", encoding="utf-8") as file:
            json.dump(self.row_counts, file, indent=1, sort_keys=True)
            file.write("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        for writer in self._writers.values():
            if self._parquet:
                writer.close()
            else:
                writer.__exit__(kind, error, traceback)


def read_row_counts(uri: str) -> dict[str, int] | None:
    """Reads the row counts beside an artifact's splits; None where another tool wrote it."""
    try:
        with open_binary(join(uri, ROW_COUNTS_FILE)) as file:
            counts = json.load(file)
    except FileNotFoundError:
        return None
    return {str(split): int(rows) for split, rows in counts.items()}
