"""Reading the column names of a CSV file."""

import itertools
import re

from penstock.io.csv.tolerant_parser import csv_records
from penstock.io.files.filesystem import open_binary
from penstock.io.ingestion.broken_rows import BrokenRow

# How files begin that are taken for CSV by mistake, and what to do about it.
_OTHER_FILES = {
    b"\xff\xfe": "is written in UTF-16: say encoding='utf-16'",
    b"\xfe\xff": "is written in UTF-16: say encoding='utf-16'",
    b"\x1f\x8b": "is gzipped: let its name end in .gz",
    b"BZh": "is compressed: let its name end in .bz2",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd: decompress it, or use gzip",
    b"PK\x03\x04": "is a zip archive or a spreadsheet: unpack or export it",
    b"PAR1": "is a Parquet file",
    b"Obj\x01": "is an Avro file",
}

_SHOWN = 200
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f]")


_OTHER_DELIMITERS = ";\t|,"


class CsvError(ValueError):
    """A CSV file cannot be read; the message names the file and the line.

    Attributes:
        delimiter: What seems to separate the cells, where it is not what was given.
    """

    delimiter: str | None = None


def read_header(path: str, delimiter: str, encoding: str) -> list[str]:
    """Read and check the column names of a CSV file.

    Raises:
        CsvError: If the file is empty or not text, a column name is repeated, a name other than the
            first is empty, or something else than `delimiter` seems to separate the cells.
        FileNotFoundError: If the file does not exist.
    """
    record = next(csv_records(path, delimiter, encoding), None)
    if record is None:
        raise CsvError(f"{path}: the file is empty. Expected a line of column names, then rows.")
    if isinstance(record, BrokenRow):
        raise CsvError(_other_file(path) or str(record))
    header = record.cells
    if len(header) == 1 and (other := _other_delimiter(path, delimiter, encoding)):
        error = CsvError(
            f"{path}, line {record.line}: the header is one cell, with {other!r} in it. If that separates "
            f"the cells, say delimiter={other!r}. Received: {header[0][:_SHOWN]!r}"
        )
        error.delimiter = other
        raise error
    if _CONTROL.search("".join(header)):
        raise CsvError(
            _other_file(path)
            or f"{path}, line {record.line}: there are control characters among the column names. "
            f"The file is not text, or not in {encoding}. Received: {str(header)[:_SHOWN]}"
        )
    # pandas writes its index as a first column without a name: a feature named "", as in TFDV.
    empty = [str(index + 1) for index, name in enumerate(header) if index and not name.strip()]
    if empty:
        raise CsvError(
            f"{path}, line {record.line}: column {', '.join(empty)} has no name; only the first may have "
            f"none, as pandas writes its index. Received: {header}"
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise CsvError(
            f"{path}, line {record.line}: the column names {twice} are repeated. "
            f"Give each column its own name."
        )
    return header


def _other_delimiter(path: str, delimiter: str, encoding: str) -> str | None:
    """Return what splits each of the first lines into as many cells, several; None if nothing does."""
    for other in _OTHER_DELIMITERS.replace(delimiter, ""):
        first = list(itertools.islice(csv_records(path, other, encoding), 10))
        cells = {0 if isinstance(each, BrokenRow) else len(each.cells) for each in first}
        if len(first) > 1 and len(cells) == 1 and min(cells) > 1:
            return other
    return None


def _other_file(path: str) -> str | None:
    if path.endswith((".gz", ".bz2")):
        return None  # what is wrong is within
    with open_binary(path) as file:
        start = file.read(max(map(len, _OTHER_FILES)))
    what = next((what for sign, what in _OTHER_FILES.items() if start.startswith(sign)), None)
    return what and f"{path}: the file {what}."
