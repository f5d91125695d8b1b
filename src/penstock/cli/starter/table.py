"""Reading a user's CSV file: its delimiter, encoding, header, and the cells that mean "missing"."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from penstock.cli.errors import NotFound, UsageError
from penstock.io.csv.cell_type import ColumnType, infer_cell_type
from penstock.io.csv.header import CsvError, read_header
from penstock.io.csv.tolerant_parser import csv_records
from penstock.io.files.decompression import decompressed_chunks
from penstock.io.ingestion.broken_rows import BrokenRow

LOOKED_AT = 200_000
"""Rows that are looked at; a larger table is judged by its first ones."""

# Files that are not CSV, and what of pandas reads them.
_OTHER_TABLES = {
    ".parquet": "parquet", ".xlsx": "excel", ".xls": "excel", ".json": "json", ".feather": "feather",
    ".dta": "stata", ".sav": "spss", ".sas7bdat": "sas", ".pkl": "pickle", ".orc": "orc",
}  # fmt: skip
# As a Path has it: two slashes are one.
_URL = re.compile(r"([a-z][a-z0-9+.]+):/+(.*)")
_DELIMITERS = ",;\t|"
_ALWAYS_MISSING = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "#N/A", "<NA>", "?")
# These are words, too: they mean "missing" where they stand among numbers.
_MISSING_AMONG_NUMBERS = ("None", "none", "na", "-", "--", ".", "inf", "-inf", "Inf", "-Inf")


@dataclasses.dataclass(frozen=True)
class Table:
    """What was read of a CSV file.

    Attributes:
        file: The file.
        delimiter: What separates its cells.
        encoding: The text's encoding.
        names: The columns' names, each one once and none empty.
        renamed: (position from 1, name in the file, name here) of each column that had to be renamed.
        columns: The cells of each column; "" where one is missing.
        na_values: Cells that mean "missing" besides the empty one.
        is_whole: Whether all rows were looked at.
    """

    file: Path
    delimiter: str
    encoding: str
    names: tuple[str, ...]
    renamed: tuple[tuple[int, str, str], ...]
    columns: tuple[list[str], ...]
    na_values: tuple[str, ...]
    is_whole: bool

    @property
    def rows(self) -> int:
        """How many rows were looked at."""
        return len(self.columns[0]) if self.columns else 0

    def column(self, name: str) -> list[str]:
        """Return the cells of a column."""
        return self.columns[self.names.index(name)]


def read_table(file: Path) -> Table:
    """Read a CSV file's header and rows, the first `LOOKED_AT` of them.

    Raises:
        NotFound: If there is no such file.
        UsageError: If it is no CSV file with a header and rows.
    """
    if not file.exists() and (url := _URL.match(str(file))):
        raise UsageError(
            f"penstock init: {url[1]}://{url[2]} is a URL. Download the file and name the copy."
        )
    if kind := _OTHER_TABLES.get(file.suffix.lower()):
        raise UsageError(
            f"penstock init: {file}: expected a CSV file. Write one, for example with pandas."
            f"read_{kind}({str(file)!r}).to_csv({str(file.with_suffix('.csv'))!r}, index=False)."
        )
    if file.is_dir():
        raise UsageError(f"penstock init: {file} is a folder. Name one CSV file in it.")
    if not file.is_file():
        raise NotFound(f"penstock init: there is no file {str(file)!r}.")
    try:
        encoding = _encoding(file)
        delimiter = _delimiter(file, encoding)
        records = csv_records(str(file), delimiter, encoding)
        header = next(records, None)
        if header is None or isinstance(header, BrokenRow):
            read_header(str(file), delimiter, encoding)  # says what is wrong
            raise UsageError(f"penstock init: {file}: {header}")
        names, renamed = _unique(header.cells)
        if any("\0" in name for name in names):
            read_header(str(file), delimiter, encoding)
        columns, is_whole = _columns(records, len(names))
    except (CsvError, ValueError) as error:
        raise UsageError(f"penstock init: {error}") from None
    na_values = _missing_markers(columns)
    empty = dict.fromkeys(na_values, "")
    if na_values:
        columns = [[empty.get(cell, cell) for cell in column] for column in columns]
    return Table(
        file, delimiter, encoding, tuple(names), tuple(renamed), tuple(columns), na_values, is_whole
    )


def copy_table(table: Table, target: Path) -> None:
    """Write the table's file to `target`: as it is, but decompressed, or with the names that it has here.

    Raises:
        UsageError: If a row is broken.
    """
    if not table.renamed:
        with target.open("wb") as file:
            file.writelines(decompressed_chunks(str(table.file)))
        return
    records = csv_records(str(table.file), table.delimiter, table.encoding)
    next(records)
    with target.open("w", newline="", encoding=table.encoding) as text:
        writer = csv.writer(text, delimiter=table.delimiter, lineterminator="\n")
        writer.writerow(table.names)
        for record in records:
            if isinstance(record, BrokenRow):
                raise UsageError(f"penstock init: {record}")
            writer.writerow(record.cells)


def _encoding(file: Path) -> str:
    """Return UTF-8 or UTF-16 by the file's mark, or Windows' Latin alphabet if it is not UTF-8."""
    start = b""
    for chunk in decompressed_chunks(str(file)):
        start += chunk
        if len(start) > 1 << 20:
            break
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        # The last character may be cut in half.
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return "utf-8" if error.start > len(start) - 4 or b"\0" in start else "cp1252"
    return "utf-8"


def _delimiter(file: Path, encoding: str) -> str:
    """Return the delimiter with which the first records have the most cells, all as many."""

    def cells(delimiter: str) -> int:
        first = list(itertools.islice(csv_records(str(file), delimiter, encoding), 50))
        if not first or any(isinstance(record, BrokenRow) for record in first):
            return 0
        return len(first[0].cells)  # type: ignore[union-attr]

    most = max(_DELIMITERS, key=cells)
    return most if cells(most) > 1 else ","


def _unique(cells: Sequence[str]) -> tuple[list[str], list[tuple[int, str, str]]]:
    """Return names of which none is empty and none comes twice, and which of them are new."""
    names: list[str] = []
    renamed = []
    taken = set(cells)
    for place, cell in enumerate(cells, 1):
        name = cell
        if not cell.strip() or cell in names:
            stem = cell if cell.strip() else ("index" if place == 1 else f"column_{place}")
            candidates = itertools.chain(
                [stem] if not cell.strip() else [], (f"{stem}_{n}" for n in itertools.count(2))
            )
            name = next(each for each in candidates if each not in taken)
            taken.add(name)
            renamed.append((place, cell, name))
        names.append(name)
    return names, renamed


def _columns(records: Iterable[object], width: int) -> tuple[list[list[str]], bool]:
    columns: list[list[str]] = [[] for _ in range(width)]
    known: list[dict[str, str]] = [{} for _ in range(width)]
    for row, record in enumerate(records):
        if isinstance(record, BrokenRow):
            raise CsvError(str(record))
        if row == LOOKED_AT:
            return columns, False
        for column, seen, cell in zip(columns, known, record.cells, strict=True):  # type: ignore[attr-defined]
            column.append(seen.setdefault(cell, cell))
    return columns, True


def _missing_markers(columns: Iterable[Sequence[str]]) -> tuple[str, ...]:
    found: set[str] = set()
    for column in columns:
        cells = set(column)
        markers = cells.intersection((*_ALWAYS_MISSING, *_MISSING_AMONG_NUMBERS))
        if markers:
            others = cells - markers - {""}
            numbers = bool(others) and all(
                infer_cell_type(cell) is not ColumnType.STRING for cell in others
            )
            found |= markers if numbers else markers & set(_ALWAYS_MISSING)
    return tuple(each for each in (*_ALWAYS_MISSING, *_MISSING_AMONG_NUMBERS) if each in found)
