"""How ExampleGens read their input on Beam: file by file, in parts that other workers go on with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.io.ingestion.write_examples import Rows
    from penstock.io.tfrecord.ingest import DecodedRecords


class Part(NamedTuple):
    """Some rows of a file, not yet converted.

    Args:
        path: The file.
        first_row: The number of the first row in the file, from 0.
        content: The rows in a form that only the reader knows, and that can be pickled.
    """

    path: str
    first_row: int
    content: Any


class InputReader(Protocol):
    """Reads files of one input split; must be picklable.

    Each method leaves out broken rows and tells `on_broken` of them, each row once over all four
    methods; where that is None a broken row is an error.
    """

    def survey(self, path: str, on_broken: OnBroken | None = None) -> Any:
        """Return one file's facts that all files must agree on, such as column types."""

    def plan(self, surveys: Sequence[Any], on_broken: OnBroken | None = None) -> Any:
        """Make of all files' surveys, ordered by file, what `parts` and `rows` go by."""

    def parts(self, path: str, plan: Any, on_broken: OnBroken | None = None) -> Iterator[Part]:
        """Read a file; do as little work as it can."""

    def rows(self, part: Part, plan: Any, on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Convert a part; where the work is."""


class BeamSource(NamedTuple):
    """The input of an ExampleGen as Beam's workers read it.

    Args:
        parts: For each input split what the reader takes: files, or queries; a worker reads one.
        reader: Reads them.
        size: How many bytes they have, about, where they are no files.
    """

    parts: Mapping[str, Sequence[str]]
    reader: InputReader
    size: int | None = None


@dataclasses.dataclass(frozen=True)
class RecordInput:
    """TFRecord files.

    Args:
        payload_format: What a record is.
        unify_schema: Whether all batches get the columns of all records, for writing Parquet. The
            files are then read twice.
    """

    payload_format: str
    unify_schema: bool = False

    def survey(self, path: str, on_broken: OnBroken | None = None) -> bytes | None:
        """Return the file's columns, serialized; None if columns need not agree."""
        from penstock.io.ingestion.broken_rows import leave_out
        from penstock.io.tfrecord.ingest import unified_schema

        if not self.unify_schema:
            return None
        # `parts` and `rows` tell of what is broken.
        known = None if on_broken is None else leave_out
        runs = (run for part in self.parts(path, None, known) for run in self._decode(part, known))
        return _to_bytes(unified_schema(run.batch.schema for run in runs))

    def plan(
        self, surveys: Sequence[bytes | None], on_broken: OnBroken | None = None
    ) -> bytes | None:
        """Return the columns of all files, serialized.

        Raises:
            ValueError: If a feature changes its type.
        """
        from penstock.io.tfrecord.ingest import unified_schema

        if not self.unify_schema:
            return None
        return _to_bytes(unified_schema(map(schema_from_bytes, filter(None, surveys))))

    def parts(
        self, path: str, plan: bytes | None, on_broken: OnBroken | None = None
    ) -> Iterator[Part]:
        """Read the file some thousand records at a time."""
        from penstock.io.tfrecord.ingest import read_records

        for block in read_records(path, on_broken=on_broken):
            yield Part(path, block.first_row, block)

    def rows(
        self, part: Part, plan: bytes | None, on_broken: OnBroken | None = None
    ) -> Iterable[Rows]:
        """Decode the records and bring them into the form that is hashed."""
        from penstock.io.tfrecord.ingest import RowsOfRecords, joined

        schema = None if plan is None else schema_from_bytes(plan)
        if runs := self._decode(part, on_broken):
            yield RowsOfRecords(self.payload_format, schema).of_decoded(joined(runs))

    def _decode(self, part: Part, on_broken: OnBroken | None) -> list[DecodedRecords]:
        from penstock.io.examples.reader import RecordDecoder
        from penstock.io.tfrecord.ingest import decoded_runs

        return decoded_runs(RecordDecoder(self.payload_format), part.content, on_broken)


@dataclasses.dataclass(frozen=True)
class RowsInput:
    """Files that one's own ExampleGen reads; each file is read and converted by one worker.

    Args:
        read: Reads files of one split, and tells of broken rows if it is given a second argument;
            picklable.
    """

    read: Callable[..., Iterable[Rows]]

    def survey(self, path: str, on_broken: OnBroken | None = None) -> None:
        """Look at nothing."""

    def plan(self, surveys: Sequence[None], on_broken: OnBroken | None = None) -> None:
        """Plans nothing."""

    def parts(self, path: str, plan: None, on_broken: OnBroken | None = None) -> Iterator[Part]:
        """Leaves the file whole."""
        yield Part(path, 0, None)

    def rows(self, part: Part, plan: None, on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Read the file."""
        return self.read([part.path]) if on_broken is None else self.read([part.path], on_broken)


def batch_to_bytes(batch: pa.RecordBatch) -> bytes:
    """Return a RecordBatch as an Arrow IPC stream, which `batch_of` reads."""
    from penstock.io.arrow.batch_stream import stream_of

    content: bytes = stream_of(batch).to_pybytes()
    return content


def schema_from_bytes(content: bytes) -> pa.Schema:
    """Read an Arrow schema."""
    import pyarrow as pa

    return pa.ipc.read_schema(pa.py_buffer(content))


def _to_bytes(schema: pa.Schema) -> bytes:
    content: bytes = schema.serialize().to_pybytes()
    return content
