"""Parts of a data set, kept in memory as far as a limit allows."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

from penstock.training.input.columns import Columns, concatenate, slice_rows
from penstock.training.input.source import ExampleFiles, Part, Piece


class CachedParts:
    """Reads parts, and keeps those that fit decoded.

    Which parts are kept changes only how fast a pass is, never what it gives.

    Args:
        source: The files.
        limit: Bytes to keep at most.
    """

    def __init__(self, source: ExampleFiles, limit: int) -> None:
        self.source = source
        self.parts: list[Part] = source.parts()
        self.row_bytes = source.row_bytes()
        self.limit = limit
        self.kept_bytes = 0
        self._kept: dict[int, list[Piece]] = {}
        self._table: Columns | None = None
        self._starts: list[int] = []
        self._joining = threading.Lock()

    @property
    def is_complete(self) -> bool:
        """Whether all rows are in memory."""
        return len(self._kept) == len(self.parts) > 0

    def table(self) -> tuple[Columns, list[int]]:
        """Return all rows as one table, and the row at which each part begins; all must be in memory."""
        with self._joining:
            if self._table is None:
                self._table = self._joined_parts()
                self._kept = {number: [] for number in self._kept}
        return self._table, self._starts

    def _joined_parts(self) -> Columns:
        numbers = range(len(self.parts))
        self._starts = [0, *itertools.accumulate(self.rows_of(number) for number in numbers)]
        pieces = [dict(piece.columns) for number in numbers for piece in self._kept[number]]
        # One matrix after the other, so that no more than one is there twice.
        return {
            name: concatenate([{name: piece.pop(name)} for piece in pieces])[name]
            for name in list(pieces[0])
        }

    def num_rows(self) -> int:
        """Return the rows of all parts; those whose number is not known are counted."""
        return sum(self.rows_of(number) for number in range(len(self.parts)))

    def rows_of(self, number: int) -> int:
        """Return the rows of a part, counting them if necessary."""
        part = self.parts[number]
        if part.rows is None:
            self._learn_rows(number, self.source.count(part))
        return self.parts[number].rows or 0

    def _learn_rows(self, number: int, rows: int) -> None:
        self.parts[number] = self.parts[number]._replace(rows=rows)

    def read(self, number: int, first_row: int = 0) -> Iterator[Piece]:
        """Yield the rows of a part in pieces, from `first_row` on."""
        kept = self._kept.get(number)
        if self._table is not None:  # made of the parts, perhaps by another pass over them
            start, stop = self._starts[number : number + 2]
            if start + first_row < stop:
                yield Piece(slice_rows(self._table, start + first_row, stop), 0)
            return
        if kept is not None:
            yield from _after(kept, first_row)
            return
        gathered: list[Piece] | None = [] if first_row == 0 and self.limit else None
        size = rows = 0
        for piece in self.source.read(self.parts[number], first_row, self.row_bytes):
            if gathered is not None:
                size += piece.nbytes
                rows += piece.rows
                gathered.append(piece)
                if self.kept_bytes + size > self.limit:
                    gathered = None
            yield piece
        if gathered is not None and number not in self._kept:
            self._kept[number] = gathered
            self.kept_bytes += size
            self._learn_rows(number, rows)


def _after(pieces: list[Piece], first_row: int) -> Iterator[Piece]:
    for piece in pieces:
        if first_row < piece.rows:
            if first_row:
                piece = Piece(slice_rows(piece.columns, first_row, piece.rows), piece.nbytes)
            yield piece
        first_row = max(0, first_row - piece.rows)
