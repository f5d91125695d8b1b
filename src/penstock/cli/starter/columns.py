"""What a column of a table is: a number, a category, a date, or nothing that a model can use."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from penstock.io.csv.cell_type import ColumnType, infer_cell_type

_DATE = re.compile(r"\d{4}([-/])\d\d\1\d\d([T ]\d\d(:?\d\d.*)?)?")
_OTHER_DATE = re.compile(r"\d{1,4}[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/. ,]+\d{1,4}( .*)?")
_DRESSED_NUMBER = re.compile(r"[\s$€£¥+-]*\d[\d.,' ]*(\s*(%|[kKmMbB]|[a-zA-Z]{1,3}))?\s*")
_CODE = re.compile(r"(^|[^a-zA-Z])(?i:id|uuid|code|key|zip)$|[a-z](Id|ID|Code|Key|Zip)$")
_NUMBERING = re.compile(r"(index|num|number|nr|no|rownames?)$", re.IGNORECASE)

MOSTLY_MISSING = 0.95
"""From this share of missing values on, a column is left out."""
FLAG_MISSING = 0.05
"""From this share of missing values on, the model is told which ones were missing."""


class Kind(enum.Enum):
    """What the starter does with a column."""

    NUMERIC = "numeric"
    LONG_TAILED = "long_tailed"
    CATEGORICAL = "categorical"
    DATE = "dates"
    IGNORED = "ignored"


@dataclasses.dataclass(frozen=True)
class Column:
    """A column's cells, counted.

    Attributes:
        name: Its name.
        cells: How often each value occurs, the most frequent first; missing ones are not in it.
        missing: How many cells are missing.
    """

    name: str
    cells: Counter[str]
    missing: int

    @classmethod
    def of(cls, name: str, cells: Sequence[str]) -> Column:
        """Count the cells of a column; "" is a missing one."""
        counted = Counter(cells)
        missing = counted.pop("", 0)
        return cls(name, Counter(dict(counted.most_common())), missing)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self.present + self.missing

    @cached_property
    def present(self) -> int:
        """How many cells have a value."""
        return self.cells.total()

    @cached_property
    def type(self) -> ColumnType:
        """The type that CsvExampleGen gives the column."""
        return max(map(infer_cell_type, self.cells), default=ColumnType.UNKNOWN)

    @property
    def is_number(self) -> bool:
        """Whether all values are numbers."""
        return self.type in (ColumnType.INT, ColumnType.FLOAT)

    @cached_property
    def numbers(self) -> list[tuple[float, int]]:
        """The values of a column of numbers, in order, and how often each occurs."""
        return sorted((float(cell.encode()), count) for cell, count in self.cells.items())

    @cached_property
    def is_whole(self) -> bool:
        """Whether all values are whole numbers, if only written as `3.0`."""
        return self.is_number and all(number.is_integer() for number, _ in self.numbers)

    def quantile(self, share: float) -> float:
        """Return the number below which this share of the values lies."""
        passed = 0
        for number, count in self.numbers:
            passed += count
            if passed >= share * self.present:
                return number
        return self.numbers[-1][0]

    @property
    def has_long_tail(self) -> bool:
        """Whether some numbers lie ten times the middle half's width or more away from the middle."""
        low, middle, high = (self.quantile(share) for share in (0.25, 0.5, 0.75))
        greatest = max(self.numbers[-1][0] - middle, middle - self.numbers[0][0])
        return len(self.cells) > 20 and greatest > 10 * (high - low)

    @property
    def dates(self) -> bool:
        """Whether all values are dates like 2013-01-31, with or without a time."""
        return bool(self.cells) and all(map(_DATE.fullmatch, self.cells))

    @property
    def other_dates(self) -> bool:
        """Whether the values are dates that are written in another way."""
        return bool(self.cells) and all(map(_OTHER_DATE.fullmatch, self.cells))

    @property
    def dressed_numbers(self) -> bool:
        """Whether most values are numbers with something more: `1,5`, `$12.00`, `45 %`."""
        if self.type is not ColumnType.STRING or len(self.cells) < 10:
            return False
        return sum(map(bool, map(_DRESSED_NUMBER.fullmatch, self.cells))) > 0.9 * len(self.cells)


def kind_of(column: Column) -> tuple[Kind, str]:
    """Return a column's kind, and a short note about its values or why it is left out."""
    missing = f"{column.missing} missing" if column.missing else ""
    if not column.present:
        return Kind.IGNORED, "has no values"
    if len(column.cells) == 1:
        return Kind.IGNORED, f"always {_short(next(iter(column.cells)))}"
    if column.missing >= MOSTLY_MISSING * column.rows:
        return Kind.IGNORED, f"{column.missing} of {column.rows} missing"
    if column.is_number:
        if _numbers_rows(column):
            return Kind.IGNORED, "an identifier"
        if column.type is ColumnType.INT and _CODE.search(column.name):
            return Kind.CATEGORICAL, _joined(f"{len(column.cells)} codes", missing)
        least, greatest = column.numbers[0][0], column.numbers[-1][0]
        seen = _joined(f"{least:.6g} to {greatest:.6g}", missing)
        # Where the middle half is one value, quantiles would be the same, too.
        tail = column.has_long_tail and column.quantile(0.25) < column.quantile(0.75)
        return (Kind.LONG_TAILED if tail else Kind.NUMERIC), seen
    if column.dates:
        return Kind.DATE, _joined(f"{min(column.cells)} to {max(column.cells)}", missing)
    example = _short(next(iter(column.cells)))
    if column.other_dates:
        return Kind.IGNORED, f"dates like {example}: write them as 2013-01-31 to use them"
    if column.dressed_numbers:
        return Kind.IGNORED, f"numbers like {example}: write plain numbers to use them"
    if len(column.cells) > max(20, column.present / 2):
        words = sum(len(cell.split()) for cell in column.cells) / len(column.cells)
        what = "text" if words > 3 else "identifiers or names"
        return Kind.IGNORED, f"{what}: {len(column.cells)} different values"
    shown = ", ".join(map(_short, list(column.cells)[:3]))
    count = f"{len(column.cells)} values: {shown}" + (", ..." if len(column.cells) > 3 else "")
    return Kind.CATEGORICAL, _joined(count, missing)


def date_parts(column: Column) -> tuple[str, ...]:
    """Return which of year, month, day and hour differ among a column's dates, and are always there."""
    places = {"year": (0, 4), "month": (5, 7), "day": (8, 10), "hour": (11, 13)}
    return tuple(
        part
        for part, (start, end) in places.items()
        if len({cell[start:end] for cell in column.cells}) > 1
        and all(len(cell) >= end for cell in column.cells)
    )


def _numbers_rows(column: Column) -> bool:
    """Whether whole numbers only tell rows apart: 1, 2, 3 ..., or all different and called an id."""
    if column.type is not ColumnType.INT:
        return False
    named = _CODE.search(column.name) or _NUMBERING.search(column.name)
    if named and len(column.cells) > 0.9 * column.present:
        return True
    span = column.numbers[-1][0] - column.numbers[0][0] + 1
    return len(column.cells) == column.rows and span == column.rows


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 24 else f"{text[:21]}..."


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))
