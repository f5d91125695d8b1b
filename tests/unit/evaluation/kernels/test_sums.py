"""Kernels merge: any cut of the rows into parts gives what one pass gives."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.keyed import ClassMatrix, Histogram
from penstock.evaluation.kernels.sums import (
    Count,
    LabelPredictionSums,
    PairMean,
    ThresholdCounts,
    View,
    WeightedMean,
)
from penstock.evaluation.keys import SubKey
from penstock.evaluation.slices.slicing import Membership


def first_class(inputs):
    return inputs.predictions[:, 0].astype(np.float64)


def difference(labels, predictions):
    return labels - predictions


WEIGHTED = View(weighted=True)


@dataclass(frozen=True)
class Case:
    kernel: type
    params: object
    view: View = WEIGHTED

    def make(self):
        return self.kernel(self.params, self.view)


CASES = [
    Case(Count, ()),
    Case(WeightedMean, first_class),
    Case(PairMean, difference, View(sub_key=SubKey(class_id=1))),
    Case(LabelPredictionSums, ()),
    Case(ThresholdCounts, (0.25, 0.5)),
    Case(ThresholdCounts, (-np.inf,), View(sub_key=SubKey(top_k=2))),
    Case(Histogram, (10, 0.0, 1.0)),
    Case(ClassMatrix, (0.0, 0.5)),
]
NUM_GROUPS = 3


def rows(seed: int, count: int):
    random = np.random.default_rng(seed)
    predictions = random.dirichlet([0.5, 0.5, 0.5], count).astype(np.float32)
    return (
        random.integers(0, 3, count),
        predictions,
        random.integers(0, 4, count).astype(np.float64),
        random.integers(0, NUM_GROUPS, count),
    )


def add(kernel, data, chosen):
    labels, predictions, weights, groups = (part[chosen] for part in data)
    inputs = MetricInputs(labels, predictions, weights)
    membership = Membership(np.arange(len(labels)), groups.astype(np.int64), NUM_GROUPS)
    kernel.add(inputs, membership)


def assert_equal(first, second):
    for group in range(NUM_GROUPS):
        one, other = first.state(group), second.state(group)
        if isinstance(one, tuple):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_allclose(one[1], other[1], rtol=1e-12, atol=1e-12)
        else:
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.kernel.__name__)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    parts=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    order=st.permutations(range(4)),
)
def test_parts_merge_to_the_whole(case, seed, parts, order):
    data = rows(seed, len(parts))
    assignment = np.array(parts)
    whole = case.make()
    add(whole, data, np.arange(len(parts)))
    merged = case.make()
    for part in order:
        kernel = case.make()
        add(kernel, data, np.flatnonzero(assignment == part))
        merged.merge(kernel, list(range(NUM_GROUPS)))
    assert_equal(merged, whole)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.kernel.__name__)
def test_groups_are_renumbered_when_merged(case):
    data = rows(3, 50)
    plain, turned, merged = case.make(), case.make(), case.make()
    add(plain, data, np.arange(50))
    turn = [2, 0, 1]
    add(turned, (*data[:3], np.argsort(turn)[data[3]]), np.arange(50))
    merged.merge(turned, turn)
    assert_equal(merged, plain)


def test_a_histogram_keeps_what_lies_outside_of_its_range():
    kernel = Histogram((10, 0.0, 1.0), View())
    inputs = MetricInputs(np.zeros(4), np.array([-0.5, 0.0, 0.95, 1.0], np.float32))
    kernel.add(inputs, Membership(np.arange(4), np.zeros(4, np.int64), 1))
    buckets, sums = kernel.state(0)
    assert buckets.tolist() == [0, 1, 10, 11]
    assert sums[:, 2].tolist() == [1, 1, 1, 1]


def test_a_predicted_nan_has_no_bucket():
    kernel = Histogram((10, 0.0, 1.0), View())
    with pytest.raises(ValueError, match="predicted NaN"):
        kernel.entries(MetricInputs(np.zeros(1), np.array([np.nan])))
