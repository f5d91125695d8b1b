"""One split of an Examples artifact: its files, their format, and reading them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from penstock.artifacts import Examples
from penstock.artifacts.standard import DEFAULT_FILE_FORMAT, DEFAULT_PAYLOAD_FORMAT
from penstock.io.examples.formats import file_format_named, payload_format_named
from penstock.io.examples.reader import (
    DEFAULT_BATCH_SIZE,
    RecordDecoder,
    batched_records,
    read_record_batches,
    split_files,
)
from penstock.io.examples.rows import Rows
from penstock.io.examples.writer import read_row_counts
from penstock.io.tfrecord.records import read_tfrecords

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2


@dataclass(frozen=True)
class ExamplesSplit:
    """A split of Examples, with everything needed to read it.

    Attributes:
        name: The split's name.
        files: Its shards, in the order in which they are read.
        file_format: Their file format, a key of `FILE_FORMATS`.
        payload_format: What a record is, a key of `PAYLOAD_FORMATS`.
        row_count: How many rows were written, or None if another tool wrote them.

    Raises:
        ValueError: If a format is unknown.

    Example:
        >>> split = ExamplesSplit.of(examples, "train")
        >>> sum(batch.num_rows for batch in split.batches())
        223
    """

    name: str
    files: Sequence[str]
    file_format: str = DEFAULT_FILE_FORMAT
    payload_format: str = DEFAULT_PAYLOAD_FORMAT
    row_count: int | None = None

    def __post_init__(self) -> None:
        file_format_named(self.file_format)
        payload_format_named(self.payload_format)

    @classmethod
    def of(cls, examples: Examples, name: str) -> "ExamplesSplit":
        """Return a split of an artifact.

        Raises:
            FileNotFoundError: If it has no files; the message names the splits that exist.
        """
        counts = read_row_counts(examples.uri) or {}
        return cls(
            name,
            tuple(split_files(examples.uri, name)),
            examples.file_format,
            examples.payload_format,
            counts.get(name),
        )

    @classmethod
    def all_of(cls, examples: Examples, *, without: Sequence[str] = ()) -> list["ExamplesSplit"]:
        """Return every split of an artifact, in order.

        Args:
            examples: The artifact.
            without: Splits to leave out.

        Raises:
            ValueError: If a split in `without` does not exist, or none is left.
        """
        return [cls.of(examples, name) for name in examples.splits_without(without)]

    def batches(
        self,
        *,
        schema: "schema_pb2.Schema | None" = None,
        batch_size: int = DEFAULT_BATCH_SIZE,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Read the split as RecordBatches; see `penstock.io.read_record_batches`.

        Raises:
            RuntimeError: If, at the end, more or fewer rows were read than were written.
        """
        batches = read_record_batches(
            self.files,
            file_format=self.file_format,
            payload_format=self.payload_format,
            schema=schema,
            batch_size=batch_size,
            columns=columns,
        )
        return self._counted(batches)

    def rows(self, *, batch_size: int = DEFAULT_BATCH_SIZE) -> Iterator[Rows]:
        """Read the split as columns together with the stored records.

        Written with `ExamplesWriter.write_rows`, the records do not change. Parquet has no records;
        it stores the columns.

        Raises:
            RuntimeError: If, at the end, more or fewer rows were read than were written.
        """
        compression = file_format_named(self.file_format).compression
        if compression is None:
            for batch in self.batches(batch_size=batch_size):
                yield Rows(batch, ())
            return
        decode = RecordDecoder(self.payload_format)
        total = 0
        for path in self.files:
            first_row = 0
            records = read_tfrecords(path, compression=compression)
            for chunk in batched_records(records, batch_size):
                yield Rows(decode(chunk, path, first_row), chunk)
                first_row += len(chunk)
            total += first_row
        self.check_count(total)

    def with_payload(self, expected: str, who: str) -> "ExamplesSplit":
        """Return the split if `who` can read its records.

        Raises:
            ValueError: If it cannot.
        """
        if self.payload_format != expected:
            raise ValueError(
                f"{who} reads records of {expected}. Received: split {self.name!r} of "
                f"payload_format={self.payload_format!r} ({self.files[0]})"
            )
        return self

    def _counted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        total = 0
        for batch in batches:
            total += batch.num_rows
            yield batch
        self.check_count(total)

    def check_count(self, read: int) -> None:
        """Check how many rows were read, if it is known how many were written.

        Raises:
            RuntimeError: If there were more or fewer.
        """
        if self.row_count is not None and read != self.row_count:
            raise RuntimeError(
                f"Split {self.name!r} has {self.row_count} rows according to its row_counts.json, "
                f"but {read} were read from {', '.join(self.files)}."
            )


def joined_split(splits: Sequence[ExamplesSplit]) -> ExamplesSplit:
    """Return several splits as one, for code that reads files of a single format.

    Raises:
        ValueError: If their formats differ.
    """
    formats = {(split.file_format, split.payload_format) for split in splits}
    if len(formats) > 1:
        raise ValueError(
            f"Examples that are read together must have the same file and payload format. Split "
            f"{splits[0].name!r} has {sorted(formats)}."
        )
    counts = [split.row_count for split in splits]
    total = None if None in counts else sum(count or 0 for count in counts)
    files = [file for split in splits for file in split.files]
    return replace(splits[0], files=files, row_count=total)
