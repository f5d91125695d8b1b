"""AvroExampleGen: Avro files into Examples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from penstock.components.example_gen import FileBasedExampleGen

if TYPE_CHECKING:
    from penstock.beam import InputReader
    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.io.ingestion.write_examples import Rows


class AvroExampleGen(FileBasedExampleGen):
    """Reads Avro files into `Examples`. Needs `pip install 'penstock-ml[avro]'`.

    Integers and booleans become int64 features, floats and decimals float, strings, bytes, dates
    and times bytes; lists become features of several values; a missing cell becomes a feature
    without a kind, as TFX's Avro executor writes. All files must have the same columns. The
    arguments are those of `FileBasedExampleGen`.

    Example:
        AvroExampleGen(input_base="data/trips")
    """

    LIBRARIES: ClassVar = ("pyarrow", "tfx-bsl", "fastavro")

    def read_rows(self, files: list[str], on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Read the Avro files of one split."""
        from penstock.io.tables.avro_ingest import avro_rows

        return avro_rows(files, on_broken)

    def beam_input(self) -> InputReader:
        """Return how Beam reads Avro files: all files agree on their columns, then each is read."""
        from penstock.components.table_input import TableInput
        from penstock.io.tables.avro_ingest import read_avro, survey_avro

        return TableInput("Avro", survey_avro, read_avro)
