"""Printing: tables and colours on a terminal, plain aligned text elsewhere, JSON for programs."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Any, TextIO

_CODES = {
    "COMPLETE": "32", "CACHED": "34", "FAILED": "31", "RUNNING": "33", "RETRYING": "33",
    "CANCELED": "35", "KILLED": "31", "PENDING": "2", "SKIPPED": "2",
    "name": "1", "dim": "2", "rail": "2", "good": "32", "bad": "31", "warning": "33",
}  # fmt: skip
_RICH = {
    "32": "green", "34": "blue", "31": "red", "33": "yellow", "35": "magenta", "2": "dim",
    "1": "bold",
}  # fmt: skip

Cell = str | tuple[str, str]
"""Text, or text and how it is styled (a state, `name`, `dim`, `good`, `bad`, `warning`)."""


class Console:
    """Where a verb prints.

    Args:
        stream: By default the standard output.
        colour: By default whether the stream is a terminal and `NO_COLOR` is not set.
        width: By default the terminal's; elsewhere lines are as long as they need to be.
    """

    def __init__(
        self, stream: TextIO | None = None, *, colour: bool | None = None, width: int | None = None
    ) -> None:
        self.stream = stream or sys.stdout
        self.is_terminal = self.stream.isatty()
        term = os.environ.get("TERM", "")
        self.colour = (
            self.is_terminal and not os.environ.get("NO_COLOR") and term != "dumb"
            if colour is None
            else colour
        )
        columns = shutil.get_terminal_size().columns if self.is_terminal else 160
        self.width = width or columns
        encoding = (getattr(self.stream, "encoding", None) or "ascii").lower()
        self.ascii_only = not encoding.replace("-", "").startswith("utf")

    def print(self, text: str = "") -> None:
        """Print a line."""
        print(text, file=self.stream)

    def style(self, text: str, what: str) -> str:
        """Return text in the colour for its kind, if colours are on."""
        code = _CODES.get(what)
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code and text else text

    def table(
        self, titles: Sequence[str], rows: Sequence[Sequence[Cell]], *, right: Sequence[str] = ()
    ) -> None:
        """Print a table.

        Args:
            titles: Of the columns.
            rows: Cells.
            right: Titles of the columns that are aligned right.
        """
        if self.is_terminal:
            self._rich_table(titles, rows, right)
            return
        plain = [[cell if isinstance(cell, str) else cell[0] for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(titles, *plain, strict=True)]
        for row in (titles, *plain):
            cells = [
                cell.rjust(width) if title in right else cell.ljust(width)
                for cell, width, title in zip(row, widths, titles, strict=True)
            ]
            self.print("  ".join(cells).rstrip())

    def _rich_table(
        self, titles: Sequence[str], rows: Sequence[Sequence[Cell]], right: Sequence[str]
    ) -> None:
        from rich.console import Console as RichConsole
        from rich.table import Table
        from rich.text import Text

        def styled(cell: Cell) -> Text:
            if isinstance(cell, str):
                return Text(cell)
            code = _CODES.get(cell[1]) if self.colour else None
            return Text(cell[0], style=_RICH[code] if code else "")

        header = "dim" if self.colour else ""
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=header)
        for title in titles:
            justify: Any = "right" if title in right else "left"
            whole = title in right or title in ("STATE", "PUSHED", "WHEN")
            table.add_column(title, justify=justify, overflow="fold", no_wrap=whole)
        for row in rows:
            table.add_row(*map(styled, row))
        console = RichConsole(
            file=self.stream, width=self.width, no_color=not self.colour, highlight=False
        )
        console.print(table)


def print_json(value: Any) -> None:
    """Print a JSON value, and nothing else, on the standard output."""
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False))
