"""CsvExampleGen: CSV files into Examples."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from penstock.components.example_gen import FileBasedExampleGen

if TYPE_CHECKING:
    from penstock.beam import InputReader
    from penstock.io.ingestion import Rows


class CsvExampleGen(FileBasedExampleGen):
    """Reads CSV files with a header line into `Examples`.

    A column is int64 if all its cells are integers, else float if all are numbers, else bytes; an
    empty cell becomes a feature with an empty list. Quoted cells may hold line breaks.

    Args:
        na_values: Cells that mean "missing" besides the empty one, such as "NA".
        delimiter: What separates cells.

    Example:
        CsvExampleGen(input_base="data/penguins")
    """

    TYPE_NAME: ClassVar = "tfx.components.example_gen.csv_example_gen.component.CsvExampleGen"

    na_values: Sequence[str] = ()
    delimiter: str = ","

    def read_rows(self, files: list[str]) -> Iterable[Rows]:
        """Reads CSV files of one split."""
        from penstock.io.csv_reader import read_csv
        from penstock.io.ingestion import Rows

        batches = read_csv(files, delimiter=self.delimiter, na_values=tuple(self.na_values))
        return Rows.of_batches(batches)

    def beam_input(self) -> InputReader:
        """Infers column types over all files, then reads blocks of them."""
        from penstock.beam import CsvInput
        from penstock.io.csv_reader import CsvFiles

        return CsvInput(
            functools.partial(CsvFiles, delimiter=self.delimiter, na_values=tuple(self.na_values))
        )
