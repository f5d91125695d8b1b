"""Finding the exact line of a CSV file that made the fast parser fail."""

import codecs
import csv
import io
import zlib
from collections.abc import Iterator, Sequence

from penstock.io.files import open_decompressed

DECOMPRESSION_ERRORS = (EOFError, OSError, zlib.error)


class CsvError(ValueError):
    """A CSV file cannot be read; the message names the file and the line."""


def _decoded_lines(path: str, encoding: str) -> Iterator[str]:
    with open_decompressed(path) as file:
        if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
            # Their line breaks are several bytes; lines are found after decoding.
            yield from io.TextIOWrapper(file, encoding, newline="")
            return
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode(encoding)
            except UnicodeDecodeError as error:
                raise CsvError(
                    f"{path}, line {number}: byte {line[error.start : error.start + 1]!r} at "
                    f"position {error.start} is not valid {encoding}. Convert the file to UTF-8, "
                    f"or say which encoding it has."
                ) from error
            yield text.removeprefix("\ufeff") if number == 1 else text


def read_header(path: str, delimiter: str, encoding: str) -> list[str]:
    """Reads and checks the column names of a CSV file.

    Raises:
        CsvError: If the file is empty, or a column name is empty or comes twice.
        FileNotFoundError: If there is no such file.
    """
    reader = csv.reader(_decoded_lines(path, encoding), delimiter=delimiter)
    try:
        header = next((row for row in reader if row), None)
    except FileNotFoundError:
        raise
    except DECOMPRESSION_ERRORS as error:
        raise CsvError(f"{path}: cannot be read: {error}") from error
    if header is None:
        raise CsvError(f"{path}: the file is empty. Expected a line of column names, then rows.")
    empty = [str(index + 1) for index, name in enumerate(header) if not name.strip()]
    if empty:
        raise CsvError(
            f"{path}, line {reader.line_num}: column {', '.join(empty)} has no name. "
            f"Received: {header}"
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise CsvError(
            f"{path}, line {reader.line_num}: the column names {twice} come more than once. "
            f"Give every column a name of its own."
        )
    return header


def diagnose(
    path: str, header: Sequence[str], delimiter: str, encoding: str, reported: Exception
) -> CsvError:
    """Reads a file line by line until something is wrong, and says what and where.

    Args:
        path: The file that could not be read.
        header: Its column names.
        delimiter: What separates cells.
        encoding: The text's encoding.
        reported: What the fast parser said.
    """
    reader = csv.reader(_decoded_lines(path, encoding), delimiter=delimiter)
    first_line = 1
    try:
        for index, row in enumerate(reader):
            if index and row and len(row) != len(header):
                return CsvError(
                    f"{path}, line {first_line}: expected {len(header)} cells, as the header has "
                    f"({', '.join(header)}), got {len(row)}: {row}"
                )
            first_line = reader.line_num + 1
    except CsvError as error:
        return error
    except DECOMPRESSION_ERRORS as error:
        return CsvError(f"{path}, after line {reader.line_num}: damaged compressed file: {error}")
    except csv.Error as error:
        return CsvError(f"{path}, line {reader.line_num}: {error}")
    return CsvError(f"{path}: {reported}")
