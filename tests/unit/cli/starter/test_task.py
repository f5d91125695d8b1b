"""What is predicted, and how good is good enough."""

from __future__ import annotations

import math

import pytest

from penstock.cli.errors import UsageError
from penstock.cli.starter.columns import Column
from penstock.cli.starter.task import choose_task


def task(cells, wanted=None):
    return choose_task(Column.of("y", cells), wanted)


def test_two_classes():
    found = task(["no"] * 70 + ["yes"] * 30)
    assert (found.name, found.positive, found.metric, found.bound) == ("binary", "yes", "AUC", 0.6)
    assert task(["1"] * 70 + ["0"] * 30).positive == "1"
    assert task(["2.0"] * 70 + ["1.0"] * 30).positive == "1", "a whole float is its integer"
    assert task(["cat"] * 70 + ["dog"] * 30).positive == "dog", "the rarer one"


def test_many_classes_must_beat_the_most_frequent_one():
    found = task(["a"] * 50 + ["b"] * 30 + ["c"] * 20)
    assert found.name == "multiclass"
    assert found.bound == 0.55
    assert "Always answering 'a' is right for 50% of the rows" in found.reason
    assert task([str(i % 7) for i in range(100)]).name == "multiclass"
    assert list(task(["3.0", "3.0", "4.0", "5.0"] * 20).classes) == ["3", "4", "5"]


def test_numbers_must_be_nearer_than_the_mean():
    cells = [str(i) for i in range(100)]
    found = task(cells)
    assert (found.name, found.metric) == ("regression", "RootMeanSquaredError")
    deviation = math.sqrt(sum((i - 49.5) ** 2 for i in range(100)) / 100)
    assert found.bound == pytest.approx(0.95 * deviation, rel=0.005)
    assert "the mean (49.5)" in found.reason


def test_numbers_with_a_long_tail_must_be_nearer_than_the_median():
    found = task([str(i) for i in range(100)] + ["1000000"])
    assert found.metric == "MeanAbsoluteError"
    error = (sum(abs(i - 50) for i in range(100)) + 1000000 - 50) / 101
    assert found.bound == pytest.approx(0.95 * error, rel=0.005)


def test_the_task_can_be_said():
    cells = [str(i % 7) for i in range(100)]
    assert task(cells, "regression").name == "regression"
    assert task([str(i % 20) for i in range(100)]).name == "regression"
    assert task([str(i % 20) for i in range(100)], "classification").name == "multiclass"


@pytest.mark.parametrize(
    ("cells", "wanted", "said"),
    [
        (["", ""], None, "'y' has no values"),
        (["7"] * 50, None, "'y' is always '7': there is nothing to learn"),
        (
            [f"n{i}" for i in range(60)],
            None,
            "has 60 different values in 60 rows: too many for classes",
        ),
        (["a", "b", "3"] * 20, "regression", "not numbers, such as 'a'"),
        (["0.5", "1.5"] * 20, "classification", "has fractions, such as 0.5"),
        (["0.0", "1.5"] * 20, "classification", "has fractions, such as 1.5"),
        ([f"2013-01-{i % 28 + 1:02}" for i in range(60)], None, "is a date"),
        ([f"${i}.00" for i in range(60)], None, "numbers like '$0.00'"),
    ],
)
def test_labels_from_which_nothing_can_be_learnt(cells, wanted, said):
    with pytest.raises(UsageError) as caught:
        task(cells, wanted)
    assert said in str(caught.value)
