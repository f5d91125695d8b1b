"""How Beam's workers read CSV files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from penstock.beam.shard_readers import Part, batch_to_bytes

if TYPE_CHECKING:
    import pyarrow as pa

    from penstock.io.csv.reader import CsvFiles
    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.io.ingestion.write_examples import Rows


class CsvSurvey(NamedTuple):
    """What a look at a file tells.

    Args:
        path: The file.
        types: The types of its columns, in order.
        rows: How many sound rows it has.
        exact: Whether it must be read record by record.
    """

    path: str
    types: dict[str, int]
    rows: int
    exact: bool


class CsvPlan(NamedTuple):
    """What all files are read by.

    Args:
        types: The types of the columns over all files.
        exact: The files that must be read record by record.
    """

    types: dict[str, int]
    exact: frozenset[str]


@dataclasses.dataclass(frozen=True)
class CsvInput:
    """CSV files, with column types inferred over all of them.

    Args:
        files: Makes a CsvFiles of paths, with all options set; picklable.

    Example:
        CsvInput(functools.partial(CsvFiles, delimiter=";"))
    """

    files: Callable[[Sequence[str]], CsvFiles]

    def survey(self, path: str, on_broken: OnBroken | None = None) -> CsvSurvey:
        """Infers the types of a file's columns, and finds its broken rows."""
        from penstock.io.csv.string_columns import DoubtfulCsvError, exact_batches, fast_batches

        source = self.files([path])
        header, dialect = source.read_header(), source.dialect
        try:
            types, rows = self._types(source, header, fast_batches(path, header, dialect))
            return CsvSurvey(path, types, rows, exact=False)
        except DoubtfulCsvError:
            batches = exact_batches(path, header, dialect, on_broken)
            types, rows = self._types(source, header, batches)
            return CsvSurvey(path, types, rows, exact=True)

    def _types(
        self, source: CsvFiles, header: Sequence[str], batches: Iterable[pa.RecordBatch]
    ) -> tuple[dict[str, int], int]:
        from penstock.io.csv.cell_type import ColumnType

        types = dict.fromkeys(header, ColumnType.UNKNOWN)
        rows = 0
        for batch in batches:
            rows += batch.num_rows
            types = source.infer_more(batch, types)
        return {name: int(kind) for name, kind in types.items()}, rows

    def plan(self, surveys: Sequence[CsvSurvey], on_broken: OnBroken | None = None) -> CsvPlan:
        """Return the columns that the files agree on.

        Raises:
            CsvError: If headers differ, or no file has a row.
        """
        from penstock.io.csv.reader import CsvError

        first = surveys[0]
        types = dict(first.types)
        for survey in surveys[1:]:
            if list(survey.types) != list(first.types):
                raise CsvError(
                    f"{survey.path}: its header {list(survey.types)} differs from that of "
                    f"{first.path}: {list(first.types)}. All files of a split must have the same "
                    "columns in the same order."
                )
            for name, kind in survey.types.items():
                types[name] = max(types[name], kind)
        if not any(survey.rows for survey in surveys):
            which = "row" if on_broken is None else "sound row"
            raise CsvError(
                f"{', '.join(survey.path for survey in surveys)}: there is a header but no {which}. "
                "Expected rows of data."
            )
        return CsvPlan(types, frozenset(survey.path for survey in surveys if survey.exact))

    def parts(self, path: str, plan: CsvPlan, on_broken: OnBroken | None = None) -> Iterator[Part]:
        """Read the file one block at a time; the survey has already reported its broken rows."""
        from penstock.io.csv.string_columns import exact_batches, fast_batches
        from penstock.io.ingestion.broken_rows import leave_out

        header, dialect = list(plan.types), self.files([path]).dialect
        if path in plan.exact:
            known = None if on_broken is None else leave_out
            batches = exact_batches(path, header, dialect, known)
        else:
            batches = fast_batches(path, header, dialect)
        first_row = 0
        for batch in batches:
            yield Part(path, first_row, batch_to_bytes(batch))
            first_row += batch.num_rows

    def rows(self, part: Part, plan: CsvPlan, on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Convert the cells, and serialize the rows."""
        from penstock.io.arrow.batch_stream import batch_of
        from penstock.io.csv.cell_type import ColumnType
        from penstock.io.ingestion.write_examples import Rows

        types = {name: ColumnType(kind) for name, kind in plan.types.items()}
        cells = batch_of(part.content)
        return Rows.of_batches([self.files([part.path]).convert(cells, types)])
