"""Differences of two versions: beside scipy's tests, and against simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from penstock.ab_test import Arm, Difference, Judged, decide, difference, share_is_off


def numbers(seed, rows, shift=0.0, spread=1.0):
    random = np.random.default_rng(seed)
    right = random.normal(size=rows)
    return right, right + shift + random.normal(0, spread, rows)


def test_paired_means_are_a_paired_t_test():
    right, ours = numbers(1, 60)
    theirs = right + np.random.default_rng(2).normal(0, 1.3, 60)
    found = difference("mae", Arm(right, ours), Arm(right, theirs), paired=True)
    expected = stats.ttest_rel(np.abs(right - ours), np.abs(right - theirs))
    interval = expected.confidence_interval(0.95)
    assert found.value == pytest.approx(
        float(np.mean(np.abs(right - ours)) - np.mean(np.abs(right - theirs)))
    )
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high), abs=1e-4)
    assert (found.units, found.method) == (60, "t")


def test_two_groups_are_welch_s_test():
    right, ours = numbers(1, 80)
    other, theirs = numbers(2, 30, spread=2)
    found = difference("mae", Arm(right, ours), Arm(other, theirs), paired=False)
    expected = stats.ttest_ind(np.abs(right - ours), np.abs(other - theirs), equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert (found.lower, found.upper) == pytest.approx((interval.low, interval.high), abs=1e-4)
    assert found.units == 110


def test_rows_of_one_unit_are_no_further_evidence():
    right, ours = numbers(3, 40)
    theirs = right + np.random.default_rng(4).normal(0, 1.5, 40)
    once = difference("mae", Arm(right, ours), Arm(right, theirs), paired=True)
    units = np.repeat(np.arange(40), 5)

    def five_times(values):
        return np.repeat(values, 5)

    arms = [Arm(five_times(right), five_times(said), units) for said in (ours, theirs)]
    grouped = difference("mae", *arms, paired=True)
    assert (grouped.lower, grouped.upper) == pytest.approx((once.lower, once.upper))
    assert grouped.units == 40
    naive = difference("mae", *[Arm(each.labels, each.predictions) for each in arms], paired=True)
    assert naive.upper - naive.lower < 0.5 * (once.upper - once.lower)


@pytest.mark.parametrize("paired", [True, False])
def test_other_metrics_are_resampled(paired):
    # By the delta method: the error of a root of a mean of squares.
    right, ours = numbers(5, 400)
    theirs = right + np.random.default_rng(6).normal(0, 1.2, 400)
    found = difference("rmse", Arm(right, ours), Arm(right, theirs), paired=paired)
    squares = [(right - each) ** 2 for each in (ours, theirs)]
    parts = [each / (2 * math.sqrt(each.mean())) for each in squares]
    variance = np.var(parts[0] - parts[1]) if paired else np.var(parts[0]) + np.var(parts[1])
    assert found.standard_error == pytest.approx(math.sqrt(variance / 400), rel=0.1)
    assert found.lower < found.value < found.upper
    assert found.method == "bootstrap"
    again = difference("rmse", Arm(right, ours), Arm(right, theirs), paired=paired)
    assert again == found, "the seed decides"
    units = np.arange(400)[::-1]
    alone = difference("rmse", Arm(right, ours, units), Arm(right, theirs, units), paired=paired)
    assert alone.standard_error == pytest.approx(found.standard_error, rel=0.15)


def test_looking_again_and_again_finds_nothing_where_nothing_is():
    random = np.random.default_rng(7)
    looks = [100, 200, 400, 800, 1600]
    wrong = {None: 0, 400: 0}
    for _ in range(300):
        right = np.zeros(looks[-1])
        ours, theirs = random.normal(size=(2, looks[-1]))
        for planned in wrong:
            wrong[planned] += any(
                found.lower > 0 or found.upper < 0
                for rows in looks
                for found in [
                    difference(
                        "mae", Arm(right[:rows], ours[:rows]), Arm(right[:rows], theirs[:rows]),
                        paired=True, planned_units=planned,
                    )
                ]
            )  # fmt: skip
    assert wrong[None] > 0.08 * 300, "an interval for one look is wrong more often than in 5 of 100"
    assert wrong[400] <= 0.05 * 300
    tight, wide = (
        difference("mae", Arm(right, ours), Arm(right, theirs), paired=True, planned_units=each)
        for each in (1600, 50)
    )
    assert tight.upper - tight.lower < wide.upper - wide.lower


def test_what_cannot_be_compared_is_said():
    one = Arm(np.ones(1), np.ones(1))
    with pytest.raises(ValueError, match="rows of two units or more of each version. Received 1"):
        difference("mae", one, one, paired=True)
    same = Arm(np.zeros(5, int), np.full((5, 2), 0.5))
    with pytest.raises(ValueError, match="auc cannot be computed"):
        difference("auc", same, same, paired=True)


def judged(lower, upper, margin=0.0, *, lower_is_better=False):
    found = Difference(0.5 + (lower + upper) / 2, 0.5, lower, upper, 0.01, 100, "t")
    return Judged("accuracy", found, lower_is_better, margin)


@pytest.mark.parametrize(
    ("metrics", "outcome"),
    [
        ([judged(0.01, 0.05)], "candidate"),
        ([judged(-0.01, 0.05)], "undecided"),
        ([judged(-0.05, -0.01)], "baseline"),
        ([judged(-0.05, -0.01, lower_is_better=True)], "candidate"),
        ([judged(-0.01, 0.05, margin=-0.02)], "candidate"),
        ([judged(0.01, 0.05, margin=0.06)], "baseline"),
        ([judged(0.0, 0.0)], "undecided"),
        ([judged(0.01, 0.05), judged(-0.01, 0.05)], "undecided"),
        ([judged(0.01, 0.05), judged(-0.05, -0.01)], "baseline"),
        ([judged(0.01, 0.05), judged(-0.05, -0.01, margin=None)], "candidate"),
    ],
)
def test_decisions(metrics, outcome):
    assert decide(metrics).outcome == outcome


def test_what_is_open_says_how_much_would_decide_it():
    (reason,) = decide([judged(-0.01, 0.05)]).reasons
    assert reason == (
        "accuracy 0.52 and 0.5: 0.02 better (-0.01 to 0.05); about 225 would decide, 100 are there"
    )


def test_a_split_that_was_not_kept_is_an_objection():
    assert share_is_off(1980, 8020, 0.2) == ""
    wrong = share_is_off(1700, 8300, 0.2)
    assert "17.0% instead of 20.0%" in wrong
    assert decide([judged(0.01, 0.05)], [wrong]).outcome == "undecided"
