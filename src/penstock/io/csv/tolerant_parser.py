"""Reading CSV files record by record, telling sound ones from broken ones.

It is slower than Arrow's parser but exact, and is used for files with errors. Python's `csv` module
decides what a record is, with two additions: a quote that is never closed, and a closed quote
followed by text in a cell of several lines, break a record. Reading then continues at the next
line, so that a stray quote costs one row and not the rest of the file.
"""

import codecs
import contextlib
import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from penstock.io.files.decompression import DamagedFileError, decompressed_chunks
from penstock.io.ingestion.broken_rows import BrokenRow

_BOM = "\ufeff"
_RECORD_BYTES = 64 << 20
_SHOWN = 200


class CsvRecord(NamedTuple):
    """A sound record: its cells, and the line on which it starts, from 1."""

    line: int
    cells: list[str]


def is_wide(encoding: str) -> bool:
    """Return whether the encoding's line breaks have several bytes."""
    return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))


@contextlib.contextmanager
def any_field_size() -> Iterator[None]:
    """Lift the limit of 131,072 characters per cell that Python's `csv` module sets."""
    limit = csv.field_size_limit(_RECORD_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


class _Lines:
    """The lines of a file as bytes, with their numbers; lines can be put back."""

    def __init__(self, path: str, encoding: str) -> None:
        self.damage: str | None = None
        self.rest = b""
        self.number = 0
        self._again: deque[bytes] = deque()
        chunks: Iterable[bytes] = decompressed_chunks(path)
        if is_wide(encoding):
            chunks = _transcoded(chunks, encoding)
        self._source = self._split(chunks)

    def _split(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        parts: list[bytes] = []
        try:
            for chunk in chunks:
                parts.append(chunk)
                if b"\n" not in chunk and b"\r" not in chunk:
                    continue
                lines = b"".join(parts).splitlines(keepends=True)
                # The last line may go on; a "\r" may be half of a line break.
                complete = lines[-1].endswith(b"\n")
                parts = [] if complete else [lines.pop()]
                yield from lines
        except (DamagedFileError, UnicodeDecodeError) as error:
            self.damage = str(error)
            self.rest = b"".join(parts)
            return
        if parts:
            yield b"".join(parts)

    def take(self) -> bytes | None:
        line = self._again.popleft() if self._again else next(self._source, None)
        self.number += line is not None
        return line

    def put_back(self, lines: Sequence[bytes]) -> None:
        self._again.extendleft(reversed(lines))
        self.number -= len(lines)


def _transcoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    for chunk in chunks:
        yield decoder.decode(chunk).encode()
    yield decoder.decode(b"", final=True).encode()


def csv_records(
    path: str, delimiter: str, encoding: str, columns: Sequence[str] | None = None
) -> Iterator[CsvRecord | BrokenRow]:
    """Yield the records of a CSV file, the header first; empty lines are skipped.

    Args:
        path: A local path or an fsspec URL, possibly gzipped (`.gz`) or `.bz2`.
        delimiter: What separates cells.
        encoding: The text's encoding.
        columns: The columns' names, for a file without a header; by default the first record.
    """
    lines = _Lines(path, encoding)
    codec = "utf-8" if is_wide(encoding) else encoding
    reader = _RecordReader(path, lines, delimiter, codec, columns)
    while (record := reader.read()) is not None:
        yield record
    if lines.damage is not None:
        yield BrokenRow(path, lines.damage, lines.rest, lines.number + 1)


class _RecordReader:
    def __init__(
        self,
        path: str,
        lines: _Lines,
        delimiter: str,
        codec: str,
        columns: Sequence[str] | None,
    ) -> None:
        self._path = path
        self._lines = lines
        self._delimiter = delimiter
        self._codec = codec
        self._columns = columns
        self._taken: list[bytes] = []

    def read(self) -> CsvRecord | BrokenRow | None:
        """Read the next record; None at the end."""
        while True:
            self._taken = []
            first = self._take()
            if first is None:
                return None
            if first.strip("\r\n"):
                break
        line = self._lines.number
        found = self._cells(first)
        if isinstance(found, str):
            self._lines.put_back(self._taken[1:])
            return BrokenRow(self._path, found, self._taken[0], line)
        return self._checked(line, found)

    def _take(self) -> str | None:
        raw = self._lines.take()
        if raw is None:
            return None
        self._taken.append(raw)
        text = raw.decode(self._codec, "surrogateescape")
        return text.removeprefix(_BOM) if self._lines.number == 1 else text

    def _cells(self, first: str) -> list[str] | str:
        """Return the cells of the record that starts with a line, or its problem."""
        bare = first.rstrip("\r\n")
        if '"' not in bare:
            return bare.split(self._delimiter)
        with any_field_size():
            try:
                return next(
                    csv.reader(self._record_lines(first), delimiter=self._delimiter, strict=True)
                )
            except csv.Error as error:
                # Within one line, text after a closed quote belongs to the cell, as csv has it.
                alone = next(csv.reader([bare + "\n"], delimiter=self._delimiter))
                if not alone[-1].endswith("\n"):
                    self._lines.put_back(self._taken[1:])
                    del self._taken[1:]
                    return alone
                if "unexpected end of data" in str(error):
                    return "a quote is opened but not closed"
                return f"bad quoting: {error}"

    def _record_lines(self, first: str) -> Iterator[str]:
        line: str | None = first
        size = 0
        while line is not None and size <= _RECORD_BYTES:
            yield line
            size += len(line)
            line = self._take()

    def _checked(self, line: int, cells: list[str]) -> CsvRecord | BrokenRow:
        names = cells if self._columns is None else self._columns
        raw = b"".join(self._taken)
        if len(cells) != len(names):
            shown = str(cells)
            shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
            reason = (
                f"expected {len(names)} cells, as the header has ({', '.join(names)}), got "
                f"{len(cells)}: {shown}"
            )
            return BrokenRow(self._path, reason, raw, line)
        try:
            raw.decode(self._codec)
        except UnicodeDecodeError as error:
            reason = (
                f"byte {raw[error.start : error.start + 1]!r} is not valid {self._codec}. Convert "
                f"the file to UTF-8, or give its encoding."
            )
            column = None if self._columns is None else _undecodable(names, cells)
            return BrokenRow(self._path, reason, raw, line, column=column)
        self._columns = names
        return CsvRecord(line, cells)


def _undecodable(names: Sequence[str], cells: Sequence[str]) -> str | None:
    for name, cell in zip(names, cells, strict=True):
        if any("\udc80" <= character <= "\udcff" for character in cell):
            return name
    return None
