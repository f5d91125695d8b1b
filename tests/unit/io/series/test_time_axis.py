from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from penstock.io.series.time_axis import TimeAxis, TimeStep, commonest_step

DATES = pa.array([b"2001-12-29", b"2002-01-05T06:00:00", b"2002-01-05T08:00:00+02:00"])


@pytest.mark.parametrize(
    ("given", "ticks"),
    [
        ("7D", 7 * 86_400_000_000),
        ("h", 3_600_000_000),
        ("15min", 900_000_000),
        ("1Y", 12),
        (2.5, 2.5),
    ],
)
def test_steps(given, ticks):
    assert TimeStep.of(given).ticks == ticks


@pytest.mark.parametrize("given", ["7 days", "0D", "", "d", -1, True])
def test_what_is_no_step_is_refused(given):
    with pytest.raises(ValueError, match="step"):
        TimeStep.of(given)


def test_dates_become_microseconds_in_utc():
    axis = TimeAxis("date", DATES.type)
    ticks = axis.ticks(DATES)
    assert ticks[2] == ticks[1] == ticks[0] + (7 * 24 + 6) * 3_600_000_000
    assert axis.times(ticks).to_pylist() == [
        b"2001-12-29T00:00:00",
        b"2002-01-05T06:00:00",
        b"2002-01-05T06:00:00",
    ]
    assert axis.times(ticks[:1]).to_pylist() == [b"2001-12-29"]
    assert axis.tick("2001-12-29") == ticks[0]


def test_months_are_equally_long():
    axis = TimeAxis("month", DATES.type, TimeStep.of("1M"))
    ticks = axis.ticks(pa.array([b"2001-12", b"2002-01-31", b"2002-02-28"]))
    assert np.diff(ticks).tolist() == [1, 1]
    assert axis.times(ticks).to_pylist() == [b"2001-12", b"2002-01", b"2002-02"]


def test_numbers_are_their_own_ticks():
    axis = TimeAxis("second", pa.int64())
    assert axis.ticks(pa.array([3, 5])).tolist() == [3, 5]
    assert axis.times(np.array([3, 5])).to_pylist() == [3, 5]
    assert axis.text(3) == "3"


def test_what_does_not_fit_the_column_is_refused():
    with pytest.raises(ValueError, match=r"holds dates, which need a step with a unit.*step=7$"):
        TimeAxis("date", DATES.type, TimeStep.of(7))
    with pytest.raises(ValueError, match=r"holds numbers, which need a number as step.*step=7D$"):
        TimeAxis("second", pa.int64(), TimeStep.of("7D"))
    with pytest.raises(ValueError, match=r"must hold dates as in ISO 8601.*'29.12.2001'"):
        TimeAxis("date", DATES.type).ticks(pa.array([b"29.12.2001"]))
    with pytest.raises(ValueError, match=r"holds numbers. Received: '2001-12-29'"):
        TimeAxis("second", pa.int64()).tick("2001-12-29")


def test_the_commonest_step():
    assert commonest_step([np.array([7, 7, 14]), np.array([14, 7])]) == 7
    assert commonest_step([np.array([2, 1])]) == 1
    assert commonest_step([]) is None
