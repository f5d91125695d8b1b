"""How ExampleGens read their input on Beam: file by file, in parts that other workers go on with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.io.csv_reader import CsvFiles
    from penstock.io.ingestion import Rows

_RECORDS_A_PART = 10_000


class Part(NamedTuple):
    """Some rows of a file, not yet converted.

    Args:
        path: The file.
        first_row: The number of the first row in the file, from 0.
        content: The rows in a form that only the reader knows; bytes, or a list of bytes.
    """

    path: str
    first_row: int
    content: Any


class InputReader(Protocol):
    """Reads files of one input split; must be picklable."""

    def survey(self, path: str) -> Any:
        """Looks at one file for what all files must agree on, such as column types."""

    def plan(self, surveys: Sequence[Any]) -> Any:
        """Makes of all files' surveys, ordered by file, what `parts` and `rows` go by."""

    def parts(self, path: str, plan: Any) -> Iterator[Part]:
        """Reads a file; does as little work as it can."""

    def rows(self, part: Part, plan: Any) -> Iterable[Rows]:
        """Converts a part; where the work is."""


@dataclasses.dataclass(frozen=True)
class CsvInput:
    """CSV files, with column types inferred over all of them.

    Args:
        files: Makes a CsvFiles of paths, with all options set; picklable.

    Example:
        CsvInput(functools.partial(CsvFiles, delimiter=";"))
    """

    files: Callable[[Sequence[str]], CsvFiles]

    def survey(self, path: str) -> tuple[str, dict[str, int], int]:
        """Returns the file, its columns' types and its number of rows."""
        from penstock.io.csv_types import ColumnType, infer_type

        source = self.files([path])
        header = source.read_header()
        types = dict.fromkeys(header, ColumnType.UNKNOWN)
        rows = 0
        for batch in source.read(dict.fromkeys(header, ColumnType.STRING)):
            rows += batch.num_rows
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                types[name] = infer_type(column.flatten().cast("string"), types[name])
        return path, {name: int(kind) for name, kind in types.items()}, rows

    def plan(self, surveys: Sequence[tuple[str, dict[str, int], int]]) -> dict[str, int]:
        """Returns the columns' types over all files.

        Raises:
            CsvError: If headers differ, or no file has a row.
        """
        from penstock.io.csv_reader import CsvError

        first_path, first, _ = surveys[0]
        types = dict(first)
        for path, others, _ in surveys[1:]:
            if list(others) != list(first):
                raise CsvError(
                    f"{path}: its header {list(others)} differs from that of {first_path}: "
                    f"{list(first)}. All files of a split need the same columns in the same order."
                )
            for name, kind in others.items():
                types[name] = max(types[name], kind)
        if not any(rows for _, _, rows in surveys):
            raise CsvError(
                f"{', '.join(path for path, _, _ in surveys)}: there is a header but no row. "
                "Expected rows of data."
            )
        return types

    def parts(self, path: str, plan: dict[str, int]) -> Iterator[Part]:
        """Reads the file a block at a time."""
        from penstock.io.csv_types import ColumnType

        types = {name: ColumnType(kind) for name, kind in plan.items()}
        first_row = 0
        for batch in self.files([path]).read(types):
            yield Part(path, first_row, batch_to_bytes(batch))
            first_row += batch.num_rows

    def rows(self, part: Part, plan: dict[str, int]) -> Iterable[Rows]:
        """Serializes the rows."""
        from penstock.io.ingestion import Rows

        return Rows.of_batches([batch_from_bytes(part.content)])


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

    def survey(self, path: str) -> bytes | None:
        """Returns the file's columns, serialized; None if columns need not agree."""
        if not self.unify_schema:
            return None
        return _serialized(self._decode(part).schema for part in self.parts(path, None))

    def plan(self, surveys: Sequence[bytes | None]) -> bytes | None:
        """Returns the columns of all files, serialized.

        Raises:
            ValueError: If a feature changes its type.
        """
        import pyarrow as pa

        if not self.unify_schema:
            return None
        return _serialized(pa.ipc.read_schema(pa.py_buffer(survey)) for survey in surveys)

    def parts(self, path: str, plan: bytes | None) -> Iterator[Part]:
        """Reads the file some thousand records at a time."""
        from itertools import islice

        from penstock.io import read_tfrecords

        records = read_tfrecords(path)
        first_row = 0
        while some := list(islice(records, _RECORDS_A_PART)):
            yield Part(path, first_row, some)
            first_row += len(some)

    def rows(self, part: Part, plan: bytes | None) -> Iterable[Rows]:
        """Decodes the records and brings them into the form that is hashed."""
        import pyarrow as pa

        from penstock.io.canonical_records import canonical_records
        from penstock.io.ingestion import Rows

        batch = self._decode(part)
        records = canonical_records(part.content, batch, self.payload_format)
        if plan is not None:
            batch = _with_schema(batch, pa.ipc.read_schema(pa.py_buffer(plan)))
        yield Rows(batch, records)

    def _decode(self, part: Part) -> pa.RecordBatch:
        from penstock.io.examples_reader import RecordDecoder

        return RecordDecoder(self.payload_format)(part.content, part.path, part.first_row)


@dataclasses.dataclass(frozen=True)
class RowsInput:
    """Files that one's own ExampleGen reads; each file is read and converted by one worker.

    Args:
        read: Reads files of one split; picklable.
    """

    read: Callable[[list[str]], Iterable[Rows]]

    def survey(self, path: str) -> None:
        """Looks at nothing."""

    def plan(self, surveys: Sequence[None]) -> None:
        """Plans nothing."""

    def parts(self, path: str, plan: None) -> Iterator[Part]:
        """Leaves the file whole."""
        yield Part(path, 0, None)

    def rows(self, part: Part, plan: None) -> Iterable[Rows]:
        """Reads the file."""
        return self.read([part.path])


def batch_to_bytes(batch: pa.RecordBatch) -> bytes:
    """Returns a RecordBatch as an Arrow IPC stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def batch_from_bytes(content: bytes) -> pa.RecordBatch:
    """Reads the RecordBatch of an Arrow IPC stream of one batch."""
    import pyarrow as pa

    return pa.ipc.open_stream(pa.py_buffer(content)).read_next_batch()


def _serialized(schemas: Iterable[pa.Schema]) -> bytes:
    serialized: bytes = _unified(schemas).serialize().to_pybytes()
    return serialized


def _unified(schemas: Iterable[pa.Schema]) -> pa.Schema:
    import pyarrow as pa

    types: dict[str, pa.DataType] = {}
    for schema in schemas:
        for field in schema:
            known = types.get(field.name, pa.null())
            if pa.types.is_null(known):
                types[field.name] = field.type
            elif not pa.types.is_null(field.type) and field.type != known:
                raise ValueError(
                    f"Feature {field.name!r} is {field.type} in some records and {known} in "
                    "others; Parquet needs one type a column."
                )
    return pa.schema(sorted(types.items()))


def _with_schema(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    names = set(batch.schema.names)
    columns = [
        batch.column(field.name).cast(field.type)
        if field.name in names
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
