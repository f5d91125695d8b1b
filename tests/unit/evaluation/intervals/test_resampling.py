import numpy as np
import pytest

from penstock.evaluation.config import Options
from penstock.evaluation.intervals.resampling import (
    Jackknife,
    PoissonBootstrap,
    ids_of,
    resampling_of,
)
from penstock.evaluation.slices.slicing import Membership

ROWS = np.arange(40_000, dtype=np.uint64)


def members(rows=(0, 1, 1), groups=(0, 0, 1), count=2) -> Membership:
    return Membership(np.array(rows), np.array(groups), count)


def test_buckets_are_of_equal_size_but_for_chance():
    counts = np.bincount(Jackknife().buckets(ROWS), minlength=20)
    expected = len(ROWS) / 20
    assert len(counts) == 20
    # The chance of a chi-squared of 19 degrees of freedom above 44 is 0.001.
    assert ((counts - expected) ** 2 / expected).sum() < 44


def test_rows_are_drawn_as_often_as_a_poisson_distribution_says():
    counts = PoissonBootstrap().counts(ROWS)
    assert counts.shape == (40_000, 20)
    share = np.bincount(counts.reshape(-1), minlength=8)[:5] / counts.size
    expected = np.exp(-1.0) / np.array([1, 1, 2, 6, 24])
    np.testing.assert_allclose(share, expected, atol=0.003)
    # Samples of a row are independent of each other, and of the next row's.
    correlation = np.corrcoef(counts.T) - np.eye(20)
    assert abs(correlation).max() < 0.03
    assert abs(np.corrcoef(counts[1:, 0], counts[:-1, 0])[0, 1]) < 0.03


@pytest.mark.parametrize("method", [Jackknife, PoissonBootstrap])
def test_samples_depend_on_the_seed_and_the_row_alone(method):
    def drawn(seed, rows):
        resampling = method(seed)
        return resampling.buckets(rows) if method is Jackknife else resampling.counts(rows)

    whole = drawn(3, ROWS)
    np.testing.assert_array_equal(whole[100:200], drawn(3, ROWS[100:200]))
    assert (drawn(4, ROWS) != whole).any()
    assert (drawn(-1, ROWS) != whole).any()


def test_a_row_is_in_the_same_bucket_of_each_slice():
    resampling = Jackknife()
    found = resampling.assign(members(), ROWS[:2])
    first, second = resampling.buckets(ROWS[:2])
    assert found.groups.tolist() == [first, second, 20 + second]
    assert (found.rows.tolist(), found.count) == ([0, 1, 1], 40)


def test_a_bootstrap_sample_holds_a_row_as_often_as_it_was_drawn():
    resampling = PoissonBootstrap()
    counts = resampling.counts(ROWS[:2])
    found = resampling.assign(members(), ROWS[:2])
    assert found.count == 42
    for group, row in [(0, 0), (0, 1), (1, 1)]:
        chosen = found.groups[found.rows == row] - group * 21
        held = np.bincount(chosen[(chosen >= 0) & (chosen < 21)], minlength=21)
        assert held.tolist() == [1, *counts[row].tolist()]


def test_no_samples_without_the_option_and_the_jackknife_without_a_method():
    assert resampling_of(Options()) is None
    options = Options(compute_confidence_intervals={"value": True})
    assert isinstance(resampling_of(options), Jackknife)


@pytest.mark.parametrize("names", [[b"a", b"b", b"a"], [7, 8, 7], [0.5, 1.5, 0.5]])
def test_rows_of_one_name_have_one_id(names):
    first, second, third = ids_of(np.array(names, dtype=object if names[0] == b"a" else None))
    assert first == third != second
