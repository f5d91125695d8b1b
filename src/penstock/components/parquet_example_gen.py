"""ParquetExampleGen: Parquet files into Examples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from penstock.components.example_gen import FileBasedExampleGen

if TYPE_CHECKING:
    from penstock.beam import InputReader
    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.io.ingestion.write_examples import Rows


class ParquetExampleGen(FileBasedExampleGen):
    """Reads Parquet files into `Examples`.

    Integers and booleans become int64 features, floats and decimals float, strings, bytes, dates
    and times bytes; lists become features of several values; a missing cell becomes a feature
    without a kind, as TFX's Parquet executor writes. All files must have the same columns. The
    arguments are those of `FileBasedExampleGen`.

    Example:
        ParquetExampleGen(input_base="data/trips")
    """

    def read_rows(self, files: list[str], on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Read the Parquet files of one split."""
        from penstock.io.ingestion.write_examples import Rows
        from penstock.io.tables.parquet_ingest import read_parquet

        return Rows.of_batches(read_parquet(files, on_broken=on_broken), missing="kindless")

    def beam_input(self) -> InputReader:
        """Return how Beam reads Parquet files: all files agree on their columns, then each is read."""
        from penstock.components.table_input import TableInput
        from penstock.io.tables.parquet_ingest import read_parquet, survey_parquet

        return TableInput("Parquet", survey_parquet, read_parquet)
