"""How Beam's workers read tables, such as Parquet and Avro files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.beam.shard_readers import Part
    from penstock.io.ingestion import Rows


class _Types(Protocol):
    def __call__(self, path: str, /) -> dict[str, pa.DataType]: ...


class _Read(Protocol):
    def __call__(
        self, files: Sequence[str], *, types: Mapping[str, pa.DataType]
    ) -> Iterator[pa.RecordBatch]: ...


@dataclass(frozen=True)
class TableInput:
    """Files whose columns must agree; each is read by one worker.

    Args:
        kind: What the files are called in messages.
        types: Returns the value types of a file's columns.
        read: Reads files with the types that all agree on.
    """

    kind: str
    types: _Types
    read: _Read

    def survey(self, path: str) -> tuple[str, dict[str, pa.DataType]]:
        """Returns the file and its columns' types."""
        return path, self.types(path)

    def plan(self, surveys: Sequence[tuple[str, dict[str, pa.DataType]]]) -> dict[str, pa.DataType]:
        """Returns the columns' types over all files.

        Raises:
            ValueError: If a file has other columns than the first.
        """
        from penstock.io.table_columns import ColumnError
        from penstock.io.table_types import TableTypes

        agreed = TableTypes(self.kind)
        for path, types in surveys:
            try:
                agreed.add(path, types)
            except ColumnError as error:
                raise ValueError(f"{path}: {error}") from error
        return agreed.agreed

    def parts(self, path: str, plan: dict[str, pa.DataType]) -> Iterator[Part]:
        """Leaves the file whole."""
        from penstock.beam.shard_readers import Part

        yield Part(path, 0, None)

    def rows(self, part: Part, plan: dict[str, pa.DataType]) -> Iterable[Rows]:
        """Reads the file."""
        from penstock.io.ingestion import Rows

        return Rows.of_batches(self.read([part.path], types=plan), missing="kindless")
