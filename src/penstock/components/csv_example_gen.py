"""CsvExampleGen: CSV files into Examples."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from penstock.components.example_gen import FileBasedExampleGen

if TYPE_CHECKING:
    from penstock.beam import InputReader
    from penstock.io.csv.reader import CsvFiles
    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.io.ingestion.write_examples import Rows


class CsvExampleGen(FileBasedExampleGen):
    """Reads CSV files with a header line into `Examples`.

    A column is int64 if all its cells are integers, float if all are numbers, and bytes otherwise;
    an empty cell becomes a feature with an empty list. Quoted cells may hold line breaks.

    Further arguments are those of `FileBasedExampleGen`.

    Args:
        na_values: Cells that mean "missing", in addition to empty ones, such as "NA".
        delimiter: What separates cells.
        multivalent_columns: Columns whose cells hold several values.
        secondary_delimiter: What separates the values of such a cell.
        encoding: The text's encoding.

    Example:
        CsvExampleGen(input_base="data/penguins")
    """

    TYPE_NAME: ClassVar = "tfx.components.example_gen.csv_example_gen.component.CsvExampleGen"

    na_values: Sequence[str] = ()
    delimiter: str = ","
    multivalent_columns: Sequence[str] = ()
    secondary_delimiter: str | None = None
    encoding: str = "utf-8"

    def check(self) -> None:
        """Check the parameters' values."""
        super().check()
        if bool(self.multivalent_columns) != bool(self.secondary_delimiter):
            raise ValueError(
                f"multivalent_columns and secondary_delimiter go together. Received: "
                f"multivalent_columns={self.multivalent_columns!r}, "
                f"secondary_delimiter={self.secondary_delimiter!r}"
            )

    def read_rows(self, files: list[str], on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Read the CSV files of one split."""
        from penstock.io.csv.ingest import csv_rows

        return csv_rows(self._source()(files), on_broken)

    def _source(self) -> Callable[[Sequence[str]], CsvFiles]:
        from penstock.io.csv.reader import CsvFiles

        return functools.partial(
            CsvFiles,
            delimiter=self.delimiter,
            na_values=tuple(self.na_values),
            multivalent_columns=tuple(self.multivalent_columns),
            secondary_delimiter=self.secondary_delimiter,
            encoding=self.encoding,
        )

    def beam_input(self) -> InputReader:
        """Return how Beam reads CSV files: types are inferred over all files, then blocks are read."""
        from penstock.beam import CsvInput

        return CsvInput(self._source())
