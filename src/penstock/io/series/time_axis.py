"""The time of rows as whole numbers, and the step from one row of a series to the next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from penstock.spelling import did_you_mean

_UNITS = ("Y", "M", "W", "D", "h", "min", "s", "ms", "us")
_NUMPY_UNIT = {"min": "m"}
_IN_MICROSECONDS = {
    "W": 7 * 86_400_000_000,
    "D": 86_400_000_000,
    "h": 3_600_000_000,
    "min": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_DAY = _IN_MICROSECONDS["D"]


@dataclass(frozen=True)
class TimeStep:
    """The step of a series, as it is written: `7D`, `1h`, `15min`, `1M`; or a plain number.

    Args:
        count: How many units.
        unit: One of Y, M, W, D, h, min, s, ms, us; empty for times that are numbers.
    """

    count: float
    unit: str = ""

    @classmethod
    def of(cls, given: str | float) -> TimeStep:
        """Read a step.

        Raises:
            ValueError: If it is none.

        Example:
            >>> TimeStep.of("15min")
            TimeStep(count=15, unit='min')
        """
        if isinstance(given, str):
            found = re.fullmatch(r"\s*(\d*)\s*([A-Za-z]+)\s*", given)
            if not found or found[2] not in _UNITS or found[1] == "0":
                near = did_you_mean(found[2], _UNITS) if found else ""
                raise ValueError(
                    "step is a number and a unit, such as '7D', '1h' or '1M' (a month); units: "
                    f"{', '.join(_UNITS)}.{near} Received: step={given!r}"
                )
            return cls(int(found[1] or 1), found[2])
        if isinstance(given, bool) or given <= 0:
            raise ValueError(f"step must be above 0. Received: step={given!r}")
        return cls(given)

    @property
    def is_calendar(self) -> bool:
        """Whether it is months or years, which are not all as long."""
        return self.unit in ("M", "Y")

    @property
    def ticks(self) -> float:
        """The step in the ticks of `TimeAxis`."""
        if self.is_calendar:
            return self.count * (12 if self.unit == "Y" else 1)
        return self.count * _IN_MICROSECONDS[self.unit] if self.unit else self.count


class TimeAxis:
    """Turns the times of rows into ticks, and ticks into times.

    Texts and bytes are ISO 8601 dates and times; those with an offset become UTC. Their ticks are
    microseconds since 1970, or months since 1970 if the step is of months or years. Integers and
    floats are their own ticks.

    Args:
        name: The column, for messages.
        kind: The type of its values.
        step: The step, if it is known.

    Raises:
        ValueError: If a step with a unit is given for numbers, or one without for dates.
    """

    def __init__(self, name: str, kind: pa.DataType, step: TimeStep | None = None) -> None:
        self.name = name
        self.is_date = pa.types.is_binary(kind) or pa.types.is_string(kind)
        self.is_date = (
            self.is_date or pa.types.is_large_binary(kind) or pa.types.is_large_string(kind)
        )
        self.is_whole = pa.types.is_integer(kind)
        if step is not None and bool(step.unit) != self.is_date:
            wanted = "a step with a unit, such as '7D'" if self.is_date else "a number as step"
            raise ValueError(
                f"Column {name!r} holds {'dates' if self.is_date else 'numbers'}, which need {wanted}. "
                f"Received: step={step.count:g}{step.unit}"
            )
        self.in_months = step is not None and step.is_calendar

    def ticks(self, times: pa.Array) -> np.ndarray[Any, Any]:
        """Return the ticks of times: int64, or float64 for floats.

        Raises:
            ValueError: If a text is no date.
        """
        if not self.is_date:
            return np.asarray(times.to_numpy(zero_copy_only=False))
        dates = np.array([self._date(each) for each in times.to_pylist()], "datetime64[us]")
        return dates.astype("datetime64[M]" if self.in_months else "datetime64[us]").astype(
            np.int64
        )

    def times(self, ticks: np.ndarray[Any, Any]) -> pa.Array:
        """Return ticks as times of the column's kind; dates as bytes, without a time if it is midnight."""
        if not self.is_date:
            return pa.array(ticks, pa.int64() if self.is_whole else pa.float32())
        dates = ticks.astype("datetime64[M]" if self.in_months else "datetime64[us]")
        if not self.in_months and not (ticks % _DAY).any():
            dates = dates.astype("datetime64[D]")
        elif not self.in_months and not (ticks % 1_000_000).any():
            dates = dates.astype("datetime64[s]")
        return pa.array([str(date).encode() for date in dates], pa.binary())

    def text(self, tick: float) -> str:
        """Return a tick as a message shows it."""
        shown = self.times(np.array([tick])).to_pylist()[0]
        return shown.decode() if isinstance(shown, bytes) else f"{shown:g}"

    def tick(self, given: str | float) -> float:
        """Return the tick of a time that a user gave.

        Raises:
            ValueError: If it is a text and the column holds numbers, or the other way round.
        """
        if isinstance(given, str) != self.is_date:
            raise ValueError(
                f"Column {self.name!r} holds {'dates' if self.is_date else 'numbers'}. "
                f"Received: {given!r}"
            )
        if isinstance(given, str):
            return int(self.ticks(pa.array([given.encode()]))[0])
        return given

    def _date(self, given: bytes | str) -> datetime:
        text = given.decode() if isinstance(given, bytes) else given
        try:
            found = datetime.fromisoformat(text if len(text) != 7 else f"{text}-01")
        except ValueError:
            raise ValueError(
                f"Column {self.name!r} must hold dates as in ISO 8601, such as 2001-12-29 or "
                f"2001-12-29T18:00:00. Received: {text!r}"
            ) from None
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def commonest_step(differences: Sequence[np.ndarray[Any, Any]]) -> float | None:
    """Return the commonest difference of ticks, the smallest if several are; None without any."""
    joined = np.concatenate(differences) if differences else np.array([])
    if not len(joined):
        return None
    values, counts = np.unique(joined, return_counts=True)
    return float(values[np.argmax(counts)])
