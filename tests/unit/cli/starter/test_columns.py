"""What a column is."""

from __future__ import annotations

import pytest

from penstock.cli.starter.columns import Column, Kind, date_parts, kind_of

FIFTY = range(50)


@pytest.mark.parametrize(
    ("name", "cells", "kind", "note"),
    [
        ("x", [str(i / 7) for i in FIFTY], Kind.NUMERIC, "0 to 7"),
        ("x", [str(i % 9) if i else "" for i in FIFTY], Kind.NUMERIC, "0 to 8; 1 missing"),
        ("fare", [*map(str, range(49)), "4000"], Kind.LONG_TAILED, "0 to 4000"),
        ("gain", [*["0"] * 79, *map(str, range(1, 21)), "9999"], Kind.NUMERIC, "0 to 9999"),
        ("sex", ["m", "f"] * 25, Kind.CATEGORICAL, "2 values: m, f"),
        ("up", ["True", "False"] * 25, Kind.CATEGORICAL, "2 values: True, False"),
        ("big", [str(2**70 + i % 3) for i in FIFTY], Kind.CATEGORICAL, "3 values"),
        ("zip_code", [str(10000 + i % 5) for i in FIFTY], Kind.CATEGORICAL, "5 codes"),
        ("carrierId", [str(i % 5) for i in FIFTY], Kind.CATEGORICAL, "5 codes"),
        ("paid", [str(i % 5) for i in FIFTY], Kind.NUMERIC, "0 to 4"),
        ("row", [str(i) for i in FIFTY], Kind.IGNORED, "an identifier"),
        ("pidnum", [str(i * 37 % 1009) for i in FIFTY], Kind.IGNORED, "an identifier"),
        ("people", [str(i * 37 % 1009) for i in FIFTY], Kind.NUMERIC, "0 to 999"),
        ("name", [f"n{i}" for i in FIFTY], Kind.IGNORED, "identifiers or names: 50 different values"),
        ("note", [f"this is note {i}" for i in FIFTY], Kind.IGNORED, "text: 50 different values"),
        ("unit", ["cm"] * 50, Kind.IGNORED, "always cm"),
        ("none", [""] * 50, Kind.IGNORED, "has no values"),
        ("rare", ["1", "2"] + [""] * 48, Kind.IGNORED, "48 of 50 missing"),
        ("day", [f"2013-01-{i % 28 + 1:02}" for i in FIFTY], Kind.DATE, "2013-01-01 to 2013-01-28"),
        ("day", [f"2013/01/{i % 28 + 1:02}" for i in FIFTY], Kind.DATE, "2013/01/01 to 2013/01/28"),
        ("day", [f"1/{i % 28 + 1}/2013" for i in FIFTY], Kind.IGNORED, "dates like 1/1/2013"),
        ("day", [f"{i % 28 + 1} Jan 2013" for i in FIFTY], Kind.IGNORED, "dates like 1 Jan 2013"),
        ("price", [f"${i},000.00" for i in FIFTY], Kind.IGNORED, "numbers like $0,000.00"),
        ("share", [f"{i},5" for i in FIFTY], Kind.IGNORED, "numbers like 0,5"),
    ],
)  # fmt: skip
def test_kinds(name, cells, kind, note):
    found, said = kind_of(Column.of(name, cells))
    assert found is kind
    assert said.startswith(note)


def test_the_parts_of_dates():
    def parts(*cells):
        return date_parts(Column.of("t", cells))

    assert parts("2013-01-31", "2014-01-31") == ("year",)
    assert parts("2013-01-31T10:00", "2013-02-28T11:30Z") == ("month", "day", "hour")
    assert parts("2013-01-31 10:00", "2013-01-30") == ("day",), "not every one has an hour"


def test_cells_are_counted():
    column = Column.of("x", ["b", "a", "b", "", "b"])
    assert list(column.cells.items()) == [("b", 3), ("a", 1)]
    assert (column.present, column.missing, column.rows) == (4, 1, 5)


def test_quantiles():
    column = Column.of("x", ["1", "2", "2", "10"])
    assert [column.quantile(share) for share in (0.25, 0.5, 0.75, 1)] == [1, 2, 2, 10]
