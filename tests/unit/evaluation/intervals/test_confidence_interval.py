import pickle

import numpy as np
import pytest

from penstock.evaluation.intervals.confidence_interval import (
    ConfidenceInterval,
    Estimate,
    interval_of,
    minus,
)
from penstock.evaluation.intervals.resampling import Jackknife, PoissonBootstrap
from penstock.evaluation.metrics.matrices import Matrices
from penstock.evaluation.metrics.multiclass import ClassMatrices

# What TFMA 0.52 gives for the samples 0.50, 0.51 ... 0.69 around the value 0.6: lower, upper, standard
# error, rounded to 9 digits.
SAMPLES = [0.5 + i / 100 for i in range(20)]
GOLDEN = {
    Jackknife: (0.068925992, 1.121074008, 0.251346375),
    PoissonBootstrap: (0.471175027, 0.718824973, 0.059160798),
}


@pytest.mark.parametrize("method", GOLDEN)
def test_ends_are_tfmas(method):
    found = interval_of(method, 0.6, SAMPLES)
    assert isinstance(found.lower, float)
    ends = (found.lower, found.upper, found.standard_error)
    assert ends == pytest.approx(GOLDEN[method], abs=1e-9)
    assert found.degrees_of_freedom == 19


def test_arrays_and_matrices_have_ends_of_their_own_kind():
    arrays = interval_of(PoissonBootstrap, np.ones(2), [np.array([x, 2 * x]) for x in SAMPLES])
    assert arrays.lower == pytest.approx([0.471175027, 2 * 0.471175027])

    def matrices(x):
        return Matrices(np.array([0.5]), *(np.array([x * i]) for i in range(4)))

    found = interval_of(PoissonBootstrap, matrices(0.6), list(map(matrices, SAMPLES)))
    assert found.lower.fp == pytest.approx([2 * 0.471175027])
    assert found.upper.thresholds == [0.5]


def test_what_a_sample_of_class_matrices_lacks_counts_as_none():
    def matrices(*cells):
        return ClassMatrices((0.5,), {0.5: dict(cells)})

    both = matrices(((0, 0), 2.0), ((1, 0), 1.0))
    found = interval_of(PoissonBootstrap, both, [both] * 10 + [matrices(((0, 0), 2.0))] * 10)
    assert found.lower.cells[0.5][0, 0] == found.upper.cells[0.5][0, 0] == 2.0
    assert found.lower.cells[0.5][1, 0] < 0.5 < found.upper.cells[0.5][1, 0]
    assert minus(both, matrices(((1, 0), 3.0))).cells == {0.5: {(0, 0): 2.0, (1, 0): -2.0}}


def test_what_is_not_made_of_numbers_has_neither_interval_nor_difference():
    assert interval_of(Jackknife, "text", ["text"] * 20) is None
    assert minus("text", "text") is None
    assert minus(np.zeros(2), np.zeros(3)) is None


def test_an_estimate_is_a_float_that_keeps_its_interval():
    interval = ConfidenceInterval(0.25, 0.75, 0.1)
    estimate = Estimate(0.5, interval)
    assert estimate == 0.5
    assert isinstance(estimate, float)
    assert pickle.loads(pickle.dumps(estimate)).interval == interval
    assert str(interval) == "0.25 to 0.75"
    assert Estimate(0.5).interval is None
