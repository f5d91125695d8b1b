"""Input rows that cannot be read: their description, and the quarantine that keeps them."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self

from penstock.io.files.filesystem import canonical, join, open_binary, open_for_writing

QUARANTINE_FOLDER = "quarantine"
QUARANTINE_FILE = "broken_rows.jsonl"

_COPY_BYTES = 8 << 20
_LOGGED = 5


@dataclass(frozen=True)
class BrokenRow:
    """A row, or the rest of a file, that cannot be read.

    Args:
        file: The input file, a path or a URL.
        reason: What is wrong.
        raw: The bytes in the (decompressed) file; None if the file as a whole is faulty.
        line: The line on which it starts, from 1, in text files.
        offset: The offset of its first byte in the decompressed file, in binary files.
        column: The faulty column, if there is one.
        rows: How many rows are lost.
    """

    file: str
    reason: str
    raw: bytes | None
    line: int | None = None
    offset: int | None = None
    column: str | None = None
    rows: int = 1

    def __str__(self) -> str:
        place = "".join(
            f", {name} {value}"
            for name, value in (("line", self.line), ("offset", self.offset))
            if value is not None
        )
        column = f", column {self.column!r}" if self.column else ""
        return f"{self.file}{place}{column}: {self.reason}"


OnBroken = Callable[[BrokenRow], None]
"""Called with each broken row; reading continues when it returns."""


def leave_out(row: BrokenRow) -> None:
    """Leave out a broken row that another pass reports."""


class Quarantine:
    """Keeps broken rows beside an artifact's splits.

    `quarantine/broken_rows.jsonl` holds one line of JSON per row: file (relative to `base`), line,
    offset, column, reason, rows and raw (base64; absent where a whole file is faulty: that file is
    copied into the folder and named as `copy`). Nothing is written when no row is broken.

    Args:
        uri: The artifact's folder, a path or an fsspec URL.
        base: The folder of the input; names of files in it are written without it.
        content: Whether what was in the rows is kept; else only where they are, for personal data.

    Example:
        >>> with Quarantine("/tmp/examples", "data") as quarantine:
        ...     batches = list(read_csv(["data/rows.csv"], on_broken=quarantine))
        >>> quarantine.rows
        2
    """

    def __init__(self, uri: str, base: str = "", *, content: bool = True) -> None:
        self.rows = 0
        self.first: list[str] = []
        self._folder = join(uri, QUARANTINE_FOLDER)
        self._prefix = join(canonical(base), "") if base else ""
        self._file: IO[bytes] | None = None
        self._copies = 0
        self._content = content

    def __call__(self, row: BrokenRow) -> None:
        """Keep a broken row."""
        if self._file is None:
            self._file = open_for_writing(join(self._folder, QUARANTINE_FILE))
        if not self._content:
            row = dataclasses.replace(
                row, reason="broken; its content may be personal data", raw=b""
            )
        entry = {
            "file": row.file.removeprefix(self._prefix),
            "line": row.line,
            "offset": row.offset,
            "column": row.column,
            "reason": row.reason,
            "rows": row.rows,
        }
        if row.raw is None:
            entry["copy"] = self._copy(row.file)
        elif self._content:
            entry["raw"] = base64.b64encode(row.raw).decode()
        known = {name: value for name, value in entry.items() if value is not None}
        self._file.write((json.dumps(known, sort_keys=True) + "\n").encode())
        self.rows += row.rows
        if len(self.first) < _LOGGED:
            self.first.append(str(row))

    def _copy(self, path: str) -> str:
        name = f"{self._copies:05d}-{path.rsplit('/', 1)[-1]}"
        self._copies += 1
        with open_binary(path) as source, open_for_writing(join(self._folder, name)) as copy:
            while chunk := source.read(_COPY_BYTES):
                copy.write(chunk)
        return name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()


def read_quarantine(uri: str) -> list[dict[str, object]]:
    """Read the broken rows beside an artifact's splits; `raw` is decoded to bytes.

    Args:
        uri: The artifact's folder.
    """
    try:
        with open_binary(join(uri, QUARANTINE_FOLDER, QUARANTINE_FILE)) as file:
            entries = [json.loads(line) for line in file]
    except FileNotFoundError:
        return []
    for entry in entries:
        if "raw" in entry:
            entry["raw"] = base64.b64decode(entry["raw"])
    return entries
