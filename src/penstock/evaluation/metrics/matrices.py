"""Binary confusion matrices at thresholds: from counts, or from a histogram of scores."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.kernels.keyed import Histogram
from penstock.evaluation.kernels.sums import KernelSpec, ThresholdCounts

FloatArray = npt.NDArray[np.float64]

NUM_BUCKETS = 10_000
EPSILON = 1e-7


@dataclass(frozen=True)
class Matrices:
    """True and false positives and negatives, one entry per threshold."""

    thresholds: FloatArray
    tp: FloatArray
    tn: FloatArray
    fp: FloatArray
    fn: FloatArray

    def to_proto(self, message: Any) -> None:
        """Fill a `MetricValue` message."""
        self.fill(message.confusion_matrix_at_thresholds)

    def entries(self) -> dict[Hashable, Any]:
        """Return the counts by name, for differences and intervals."""
        return {name: getattr(self, name) for name in ("tp", "tn", "fp", "fn")}

    def with_entries(self, entries: Mapping[Hashable, Any]) -> Matrices:
        """Return matrices at the same thresholds with other counts."""
        return replace(self, **{str(name): counts for name, counts in entries.items()})

    def fill(self, message: Any) -> None:
        """Fill a `ConfusionMatrixAtThresholds` message.

        As in TFMA, an undefined precision is 1, an undefined recall 0.
        """
        tp, tn, fp, fn = self.tp, self.tn, self.fp, self.fn
        precision = ratio(tp, tp + fp, 1.0)
        recall = ratio(tp, tp + fn, 0.0)
        columns = {
            "threshold": np.round(self.thresholds, 6),
            "true_positives": tp,
            "true_negatives": tn,
            "false_positives": fp,
            "false_negatives": fn,
            "precision": precision,
            "recall": recall,
            "f1": ratio(2 * precision * recall, precision + recall, 0.0),
            "accuracy": ratio(tp + tn, tp + tn + fp + fn, 0.0),
            "false_positive_rate": ratio(fp, fp + tn, 0.0),
            "false_omission_rate": ratio(fn, fn + tn, np.nan),
        }
        for i in range(len(self.thresholds)):
            message.matrices.add(**{name: float(column[i]) for name, column in columns.items()})


def ratio(numerator: FloatArray, denominator: FloatArray, undefined: float = np.nan) -> FloatArray:
    """Return the quotient where the denominator is positive, else `undefined`."""
    result = np.full(np.shape(denominator), undefined)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)  # type: ignore[no-any-return]


def interpolated_thresholds(count: int) -> list[float]:
    """Return Keras's thresholds for curves: equidistant, with the ends just outside of 0 and 1."""
    inner = [(i + 1) / (count - 1) for i in range(count - 2)]
    return [-EPSILON, *inner, 1.0 + EPSILON]


@dataclass(frozen=True)
class MatrixSource:
    """Where a metric's matrices come from, and how they are read from the state.

    With `num_thresholds` they come from a histogram of 10,000 buckets, as in TFMA, so that all curves
    share one; with given thresholds they are counted exactly.
    """

    thresholds: tuple[float, ...]
    from_histogram: bool

    @classmethod
    def of(
        cls,
        thresholds: float | list[float] | None,
        num_thresholds: int | None,
        default: float | None = None,
    ) -> MatrixSource:
        """Chooses as TFMA does; `default` is the threshold when neither is given."""
        if thresholds is None and num_thresholds is None and default is not None:
            thresholds = default
        if thresholds is not None:
            values = [thresholds] if isinstance(thresholds, int | float) else thresholds
            return cls(tuple(float(value) for value in values), False)
        count = NUM_BUCKETS if num_thresholds is None else num_thresholds
        return cls(tuple(interpolated_thresholds(count)), True)

    @property
    def kernel(self) -> KernelSpec:
        """What to accumulate."""
        if self.from_histogram:
            return Histogram, (NUM_BUCKETS, 0.0, 1.0)
        return ThresholdCounts, self.thresholds

    def matrices(self, state: Any) -> Matrices:
        """Return the matrices of one slice's state."""
        if self.from_histogram:
            return matrices_from_histogram(self._values, state)
        counts = state.reshape(-1, 4)
        return Matrices(self._values, *counts.T)

    def distinct_matrices(self, state: Any) -> Matrices:
        """Return the matrices at enough thresholds to have each different one, in order.

        A slice of few rows has few: what is an area or the best of all costs no pass over thousands of
        equal ones. From counts it is the matrices at all thresholds.
        """
        if not self.from_histogram:
            return self.matrices(state)
        starts = bucket_starts(state[0], NUM_BUCKETS, 0.0, 1.0)
        # A matrix changes behind the last threshold that a bucket lies above; nothing lies above the last.
        ends = np.searchsorted(self._limits, starts, side="right") - 1
        last = len(self._values) - 1
        chosen = np.unique(np.concatenate([[0], ends.clip(0, last - 1), [last]]))
        return matrices_from_histogram(self._values[chosen], state)

    @cached_property
    def _values(self) -> FloatArray:
        return np.array(self.thresholds)

    @cached_property
    def _limits(self) -> FloatArray:
        """The starts of buckets from which on they lie above each threshold."""
        values = self._values
        return np.where(values < 0, -np.inf, np.where(values != 0, values + EPSILON, 0.0))


def matrices_from_histogram(thresholds: FloatArray, state: Any) -> Matrices:
    """Derive matrices from a `Histogram` kernel's state.

    A bucket lies on the side of a threshold where its lower end lies; a bucket that starts at the
    threshold counts as not above it, since positive means greater.
    """
    buckets, sums = state
    starts = bucket_starts(buckets, NUM_BUCKETS, 0.0, 1.0)
    first_above = np.searchsorted(starts, np.where(thresholds != 0, thresholds + EPSILON, 0.0))
    # Nothing lies above the last threshold, and everything, also -inf, above the first.
    first_above[thresholds >= 1.0 + EPSILON] = len(starts)
    first_above[thresholds < 0] = 0
    below = np.concatenate([np.zeros((1, sums.shape[1])), np.cumsum(sums, axis=0)])
    total = below[-1]
    fn, tn = below[first_above, 0], below[first_above, 2] - below[first_above, 0]
    return Matrices(thresholds, total[0] - fn, tn, total[2] - total[0] - tn, fn)


def bucket_starts(
    buckets: npt.NDArray[np.int64], count: int, left: float, right: float
) -> FloatArray:
    """Return the lower ends of a histogram's buckets; the outer ones are infinite."""
    starts = (buckets - 1) / count * (right - left) + left
    return np.where(buckets == 0, -np.inf, np.where(buckets > count, np.inf, starts))
