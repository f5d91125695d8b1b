"""Reading CSV files as rows for ingestion."""

from dataclasses import dataclass

import pyarrow as pa

from penstock.io.csv.reader import ColumnType, CsvFiles
from penstock.io.examples.rows import Blocks, RowBlocks, Rows, rows_of_batch
from penstock.io.ingestion.broken_rows import OnBroken


def csv_rows(source: CsvFiles, on_broken: OnBroken | None = None) -> RowBlocks:
    """Read the rows of CSV files.

    Large files are read once, with the types of their first rows, and a second time only if those
    types do not fit all rows.

    Args:
        source: The files.
        on_broken: Called with each broken row, which is left out; by default a broken row is an
            error.

    Example:
        >>> write_examples({"all": csv_rows(CsvFiles(["data/penguins.csv"]))}, Output(), "examples")
        {'all': 344}
    """

    def read() -> Blocks:
        cells = source.read_cells(on_broken=on_broken)
        return Blocks(_RowsOfCells(source, cells.types), cells.batches)

    def guess() -> Blocks:
        cells = source.guess_cells()
        return Blocks(_RowsOfCells(source, cells.types, guessed=True), cells.batches)

    return RowBlocks(read, guess if on_broken is None else None)


@dataclass(frozen=True)
class _RowsOfCells:
    source: CsvFiles
    types: dict[str, ColumnType]
    guessed: bool = False

    def __call__(self, cells: pa.RecordBatch) -> Rows:
        return rows_of_batch(self.source.convert(cells, self.types, guessed=self.guessed))
