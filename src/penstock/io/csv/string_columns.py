"""The cells of a CSV file as strings: read by Arrow if the file is sound, otherwise record by record."""

import csv
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from penstock.io.csv.header import CsvError
from penstock.io.csv.tolerant_parser import any_field_size, csv_records, is_wide
from penstock.io.files.filesystem import open_decompressed
from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken

_BLOCK_BYTES = 2 << 20
# Every column of a block costs some time of its own: a wide block has as many rows as a narrow one.
_BLOCK_BYTES_A_COLUMN = 4 << 10
_RECORDS = 10_000
_QUOTE = ord('"')
_REFUSALS = (pa.ArrowInvalid, UnicodeDecodeError, EOFError, OSError, zlib.error)


class DoubtfulCsvError(Exception):
    """Arrow cannot read a file, or its quotes are such that it may have misread it."""


@dataclass(frozen=True)
class CsvDialect:
    """The format of CSV files; see `CsvFiles`."""

    delimiter: str = ","
    na_values: Sequence[str] = ()
    encoding: str = "utf-8"
    column_names: Sequence[str] | None = None


def fast_batches(path: str, header: Sequence[str], dialect: CsvDialect) -> Iterator[pa.RecordBatch]:
    """Read cells with Arrow; a missing cell is null.

    Raises:
        DoubtfulCsvError: If that fails, possibly after some batches.
    """
    with open_decompressed(path) as opened:
        wide = is_wide(dialect.encoding)
        file = opened if wide else _QuoteCheck(opened, dialect.delimiter)
        try:
            yield from pacsv.open_csv(
                file,
                read_options=pacsv.ReadOptions(
                    block_size=max(_BLOCK_BYTES, _BLOCK_BYTES_A_COLUMN * len(header)),
                    encoding=dialect.encoding,
                    column_names=dialect.column_names,
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=dialect.delimiter, newlines_in_values=True
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types=dict.fromkeys(header, pa.string()),
                    strings_can_be_null=True,
                    null_values=["", *dialect.na_values],
                ),
            )
        except FileNotFoundError:
            raise
        except _REFUSALS as error:
            raise DoubtfulCsvError(str(error)) from error
    if isinstance(file, _QuoteCheck) and file.doubtful():
        raise DoubtfulCsvError("quotes within cells")


def exact_batches(
    path: str, header: Sequence[str], dialect: CsvDialect, on_broken: OnBroken | None
) -> Iterator[pa.RecordBatch]:
    """Read cells record by record; a missing cell is null.

    Args:
        path: The file.
        header: Its column names.
        dialect: Its format.
        on_broken: Called with each broken row; if None, the first one is an error.

    Raises:
        CsvError: If a row is broken and `on_broken` is None.
    """
    records = csv_records(path, dialect.delimiter, dialect.encoding, dialect.column_names)
    if dialect.column_names is None:
        next(records, None)
    missing = {"", *dialect.na_values}
    rows: list[list[str]] = []
    size = 0
    for record in records:
        if isinstance(record, BrokenRow):
            if on_broken is None:
                raise CsvError(str(record))
            on_broken(record)
            continue
        rows.append(record.cells)
        size += sum(map(len, record.cells))
        if len(rows) == _RECORDS or size >= _BLOCK_BYTES:
            yield _as_batch(rows, header, missing)
            rows, size = [], 0
    if rows:
        yield _as_batch(rows, header, missing)


def _as_batch(rows: list[list[str]], header: Sequence[str], missing: set[str]) -> pa.RecordBatch:
    columns = [
        pa.array([None if cell in missing else cell for cell in cells], pa.string())
        for cells in zip(*rows, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, list(header))


def split_cells(cells: pa.Array, delimiter: str) -> pa.ListArray:
    """Split cells of several values, which may be quoted like cells; null stays null.

    Example:
        >>> split_cells(pa.array(['1|2', '"a|b"|c']), "|").to_pylist()
        [['1', '2'], ['a|b', 'c']]
    """
    if len(delimiter) > 1 or not pc.any(pc.match_substring(cells, '"')).as_py():
        return pc.split_pattern(cells, delimiter)
    with any_field_size():
        values = [None if cell is None else _split(cell, delimiter) for cell in cells.to_pylist()]
    return pa.array(values, pa.list_(pa.string()))


def _split(cell: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([cell], delimiter=delimiter))
    except csv.Error:  # a line break outside quotes
        return cell.split(delimiter)


class _QuoteCheck(io.RawIOBase):
    """Passes a file's bytes on, and notices misplaced quotes that Arrow accepts.

    Every opening quote follows a delimiter or line break and every closing quote precedes one,
    except for doubled quotes. Otherwise a quote may be stray, and rows may have merged.
    """

    def __init__(self, file: IO[bytes], delimiter: str) -> None:
        self._file = file
        self._borders = np.zeros(256, dtype=bool)
        self._borders[[_QUOTE, ord("\n"), ord("\r"), *delimiter.encode()]] = True
        self._tail = b"\n"
        self._quotes = 0
        self._odd = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._file.read(size)
        if chunk:
            self._check(chunk)
        return chunk

    def _check(self, chunk: bytes) -> None:
        if not self._odd and (b'"' in chunk or b'"' in self._tail):
            content = np.frombuffer(self._tail + chunk, np.uint8)
            places = np.flatnonzero(content[1:-1] == _QUOTE) + 1
            opening = (np.arange(len(places)) + self._quotes) % 2 == 0
            neighbours = content[np.where(opening, places - 1, places + 1)]
            self._odd = not bool(self._borders[neighbours].all())
            self._quotes += len(places)
        self._tail = (self._tail + chunk[-2:])[-2:]

    def doubtful(self) -> bool:
        """Whether a quote was misplaced; valid at the end of the file."""
        self._check(b"\n")
        return self._odd or self._quotes % 2 == 1
