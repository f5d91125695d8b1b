"""Quantiles: exact while the numbers are few, by a sketch beyond."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data_validation.statistics import quantiles
from penstock.data_validation.statistics.quantiles import Quantiles


def _sketched(values: np.ndarray, weights: np.ndarray | None = None) -> Quantiles:
    """Has no number kept."""
    made = Quantiles(0.01)
    made._sketch = made._sketch_of_all()
    made.add(values, weights)
    return made


def _same(one: Quantiles, other: Quantiles) -> bool:
    pairs = zip(one.with_weights(50), other.with_weights(50), strict=True)
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)


@pytest.mark.parametrize("count", [1, 17, 9_999, 10_001, 35_000])
@pytest.mark.parametrize("weighted", [False, True])
def test_numbers_that_are_kept_give_what_the_sketch_gives(count: int, weighted: bool) -> None:
    random = np.random.default_rng(count)
    values, weights = random.normal(size=count), random.random(count) if weighted else None
    in_parts = Quantiles(0.01)
    for start in range(0, count, 1_000):
        part = slice(start, start + 1_000)
        in_parts.add(values[part], None if weights is None else weights[part])
    assert _same(in_parts, _sketched(values, weights))


def test_few_numbers_take_little_room() -> None:
    few = Quantiles(0.01)
    few.add(np.arange(100.0))
    assert len(pickle.dumps(few)) < 2_000


@given(st.lists(st.integers(0, 30), max_size=6), st.integers(1, 60))
def test_merged_parts_are_the_whole(sizes: list[int], kept: int) -> None:
    values = np.random.default_rng(0).normal(size=sum(sizes) + 1)
    whole, merged = Quantiles(0.01), Quantiles(0.01)
    whole.add(values)
    start = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantiles, "_KEPT_VALUES", kept)
        for size in [*sizes, 1]:
            part = Quantiles(0.01)
            part.add(values[start : start + size])
            merged.merge(part)
            start += size
    assert _same(whole, merged)
