"""Reading the column names of a CSV file."""

from penstock.io.broken_rows import BrokenRow
from penstock.io.csv_records import csv_records


class CsvError(ValueError):
    """A CSV file cannot be read; the message names the file and the line."""


def read_header(path: str, delimiter: str, encoding: str) -> list[str]:
    """Reads and checks the column names of a CSV file.

    Raises:
        CsvError: If the file is empty, or a column name is empty or comes twice.
        FileNotFoundError: If there is no such file.
    """
    record = next(csv_records(path, delimiter, encoding), None)
    if record is None:
        raise CsvError(f"{path}: the file is empty. Expected a line of column names, then rows.")
    if isinstance(record, BrokenRow):
        raise CsvError(str(record))
    header = record.cells
    empty = [str(index + 1) for index, name in enumerate(header) if not name.strip()]
    if empty:
        raise CsvError(
            f"{path}, line {record.line}: column {', '.join(empty)} has no name. Received: {header}"
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise CsvError(
            f"{path}, line {record.line}: the column names {twice} come more than once. "
            f"Give every column a name of its own."
        )
    return header
