"""The plan of a project."""

from __future__ import annotations

import random

import pytest

from penstock.cli.errors import UsageError
from penstock.cli.starter.columns import Kind
from penstock.cli.starter.plan import make_plan


@pytest.fixture
def write(tmp_path):
    def of(rows, name="t.csv"):
        file = tmp_path / name
        lines = [",".join(rows[0]), *(",".join(str(row[key]) for key in rows[0]) for row in rows)]
        file.write_text("\n".join(lines) + "\n")
        return file

    return of


def rows(count=60):
    chance = random.Random(0)
    return [
        {"x": chance.random(), "y": chance.choice("ab"), "z": chance.choice(("u", "v", ""))}
        for _ in range(count)
    ]


def test_a_plan(write):
    plan = make_plan(write(rows()), "y")
    assert [(each.name, each.kind) for each in plan.features] == [
        ("x", Kind.NUMERIC),
        ("z", Kind.CATEGORICAL),
    ]
    assert plan.slice_by is not None
    assert plan.slice_by.name == "z"


def test_numbers_with_missing_values_are_flagged(write):
    plan = make_plan(write([{**row, "w": i if i % 9 else ""} for i, row in enumerate(rows())]), "y")
    assert [each.name for each in plan.features if each.is_flagged] == ["w"]


def test_a_column_that_is_the_label_in_other_words_is_left_out(write):
    table = [{**row, "alive": {"a": "yes", "b": "no"}[row["y"]]} for row in rows()]
    (alive,) = [each for each in make_plan(write(table), "y").columns if each.name == "alive"]
    assert alive.kind is Kind.IGNORED
    assert alive.note.startswith("predicts the label on its own")
    table[0]["alive"] = "yes" if table[0]["alive"] == "no" else "no"
    (alive,) = [each for each in make_plan(write(table), "y").columns if each.name == "alive"]
    assert alive.kind is Kind.CATEGORICAL


def test_a_number_that_orders_the_rows_as_the_label_does_is_left_out(write):
    table = [{**row, "wage": row["x"] * 9 + 1, "minus": -row["x"]} for row in rows()]
    kinds = {each.name: each.kind for each in make_plan(write(table), "wage").columns}
    assert kinds["x"] is kinds["minus"] is Kind.IGNORED
    table[0]["minus"] = 1
    kinds = {each.name: each.kind for each in make_plan(write(table), "wage").columns}
    assert kinds["minus"] is Kind.NUMERIC


@pytest.mark.parametrize(
    ("table", "label", "said"),
    [
        (rows(), "Y", "has no column 'Y'. Did you mean 'y'? Columns: 'x', 'y', 'z'"),
        (rows(20), "y", "has 20 rows with a 'y'. Expected at least 30"),
        ([{"y": each["y"]} for each in rows()], "y", "no column to learn 'y' from: there are no other columns"),
        ([{"y": each["y"], "k": 1} for each in rows()], "y", "from: 'k' always 1"),
        ([{**each, "x?": each["x"], "x!": 2} | {"x!": each["x"]} for each in rows()], "y",
         "the columns 'x?' and 'x!' differ only in punctuation"),
    ],
)  # fmt: skip
def test_tables_that_are_refused(write, table, label, said):
    with pytest.raises(UsageError) as caught:
        make_plan(write(table), label)
    assert said in str(caught.value)
