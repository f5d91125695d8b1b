"""Cron expressions, for Kubeflow's schedules and those of this machine: both read them alike, in UTC.

Kubeflow's ScheduledWorkflow controller parses with `github.com/robfig/cron` of 2018, whose expressions have
six fields (second, minute, hour, day of month, month, day of week). The five fields that everybody
else writes would be read there from the second on, and fire at other times. So five get a `0` in front.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Self

_FIELDS = (
    ("second", 0, 59),
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of month", 1, 31),
    ("month", 1, 12),
    ("day of week", 0, 6),
)
_NAMES = {
    "month": ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    "day of week": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
_WORDS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
_YEARS = 5
"""How far ahead a time is looked for, as Kubeflow's scheduler does."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression, in UTC, as Kubeflow's scheduler runs by default.

    Attributes:
        text: With six fields.
        fields: The numbers of each field that match.
        any_day: Whether the day of the month, and that of the week, is free.
    """

    text: str
    fields: tuple[frozenset[int], ...]
    any_day: tuple[bool, bool]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the expression with five fields, six fields, or a word such as `@daily`.

        Raises:
            ValueError: If it is none, with the field that is wrong.

        Example:
            >>> Cron.parse("30 2 * * mon-fri").text
            '0 30 2 * * mon-fri'
        """
        given = text.strip()
        if given.startswith("@every"):
            raise ValueError(f"{given!r} is an interval: give it as --every {given[6:].strip()}")
        words = _WORDS.get(given.lower(), given).split()
        if len(words) == 5:
            words.insert(0, "0")
        if len(words) != 6:
            raise ValueError(
                "a cron expression has five fields (minute, hour, day of month, month, day of week), six "
                f"with seconds in front, or is one of {', '.join(_WORDS)}. Received: {text!r}"
            )
        fields = tuple(_numbers(word, *field) for word, field in zip(words, _FIELDS, strict=True))
        return cls(" ".join(words), fields, (words[3] in ("*", "?"), words[5] in ("*", "?")))

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after a moment, in UTC; None if there is none in five years.

        Example:
            >>> Cron.parse("@daily").next_after(datetime(2026, 12, 31, 5, tzinfo=UTC)).isoformat()
            '2027-01-01T00:00:00+00:00'
        """
        seconds, minutes, hours, _, months, _ = self.fields
        time = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        last = time.year + _YEARS
        while time.year <= last:
            if time.month not in months:
                time = _first(time.replace(day=1) + timedelta(days=32)).replace(day=1)
            elif not self._is_day(time):
                time = _first(time) + timedelta(days=1)
            elif time.hour not in hours:
                time = time.replace(minute=0, second=0) + timedelta(hours=1)
            elif time.minute not in minutes:
                time = time.replace(second=0) + timedelta(minutes=1)
            elif time.second not in seconds:
                time += timedelta(seconds=1)
            else:
                return time
        return None

    def _is_day(self, time: datetime) -> bool:
        of_month = time.day in self.fields[3]
        of_week = time.isoweekday() % 7 in self.fields[5]
        # If both are given, one of them is enough.
        return of_month and of_week if any(self.any_day) else of_month or of_week


def _first(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0)


def _numbers(word: str, name: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        span, slash, step = part.partition("/")
        every = _number(step, name, 1, high) if slash else 1
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            begin, end = low, high
        else:
            begin = _number(first, name, low, high)
            end = _number(last, name, low, high) if dash else high if slash else begin
        if end < begin:
            raise ValueError(f"{name}: {span!r} ends before it begins")
        found.update(range(begin, end + 1, every))
    return frozenset(found)


def _number(text: str, name: str, low: int, high: int) -> int:
    names = _NAMES.get(name, [])
    if text.lower() in names:
        return names.index(text.lower()) + low
    if not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        also = f" or {names[0]} to {names[-1]}" if names else ""
        raise ValueError(f"{name} is {low} to {high}{also}. Received: {text!r}")
    return int(text)
