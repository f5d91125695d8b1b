"""How Beam's workers read tables, such as Parquet and Avro files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.beam.shard_readers import Part
    from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken
    from penstock.io.ingestion.write_examples import Rows
    from penstock.io.tables.column_agreement import TableTypes


class _Survey(Protocol):
    def __call__(self, path: str, types: TableTypes, /) -> BrokenRow | None: ...


class _Read(Protocol):
    def __call__(
        self,
        files: Sequence[str],
        *,
        types: Mapping[str, pa.DataType],
        on_broken: OnBroken | None,
    ) -> Iterator[pa.RecordBatch]: ...


class TableSurvey(NamedTuple):
    """The result of looking at a file.

    Args:
        path: The file.
        types: Its columns' types.
        broken: Its problem, if it cannot be read.
    """

    path: str
    types: dict[str, pa.DataType]
    broken: BrokenRow | None


class TablePlan(NamedTuple):
    """The plan by which all files are read.

    Args:
        types: The types of the columns over all files.
        left_out: Files that cannot be read.
    """

    types: dict[str, pa.DataType]
    left_out: frozenset[str]


@dataclass(frozen=True)
class TableInput:
    """Files whose columns must agree; each is read by one worker.

    Args:
        kind: What the files are called in messages.
        look: Adds a file's columns to those of the files before it, and returns its problem, if
            any.
        read: Reads files with the types that all files agree on.
    """

    kind: str
    look: _Survey
    read: _Read

    def survey(self, path: str, on_broken: OnBroken | None = None) -> TableSurvey:
        """Look at a file's columns."""
        from penstock.io.tables.column_agreement import TableTypes

        types = TableTypes(self.kind)
        broken = self.look(path, types)
        return TableSurvey(path, types.agreed, broken)

    def plan(self, surveys: Sequence[TableSurvey], on_broken: OnBroken | None = None) -> TablePlan:
        """Return the columns that the files agree on.

        Raises:
            ValueError: If a file is damaged or has other columns than the first.
        """
        from penstock.io.tables.column_agreement import TableTypes
        from penstock.io.tables.example_columns import ColumnError

        agreed = TableTypes(self.kind)
        left_out = set()
        for path, types, broken in surveys:
            if broken is None:
                try:
                    agreed.add(path, types)
                except ColumnError:
                    broken = self.look(path, agreed)
            if broken is None:
                continue
            if on_broken is None:
                raise ValueError(str(broken))
            on_broken(broken)
            left_out.add(path)
        return TablePlan(agreed.agreed, frozenset(left_out))

    def parts(
        self, path: str, plan: TablePlan, on_broken: OnBroken | None = None
    ) -> Iterator[Part]:
        """Return the whole file as one part."""
        from penstock.beam.shard_readers import Part

        if path not in plan.left_out:
            yield Part(path, 0, None)

    def rows(
        self, part: Part, plan: TablePlan, on_broken: OnBroken | None = None
    ) -> Iterable[Rows]:
        """Read the file."""
        from penstock.io.ingestion.write_examples import Rows

        batches = self.read([part.path], types=plan.types, on_broken=on_broken)
        return Rows.of_batches(batches, missing="kindless")
