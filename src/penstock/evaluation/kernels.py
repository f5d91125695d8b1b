"""Accumulators: what metrics keep of the rows, for all slices at once, and how parts merge.

Each kernel's state has a leading axis over groups (slices). Batches may come in any cut and order; two
kernels that saw different rows merge into what one would hold that saw both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs, Pairs
from penstock.evaluation.keys import SubKey
from penstock.evaluation.slicing import Membership

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """Which labels, predictions and weights a kernel sees of a batch."""

    model_name: str = ""
    output_name: str = ""
    sub_key: SubKey | None = None
    aggregated: bool = False
    class_weights: tuple[tuple[int, float], ...] = ()
    weighted: bool = False

    def pairs(self, inputs: MetricInputs) -> Pairs:
        """Returns the binary pairs of this view."""
        return inputs.pairs(
            sub_key=self.sub_key,
            aggregated=self.aggregated,
            class_weights=self.class_weights,
            weighted=self.weighted,
        )


class Kernel(ABC):
    """State over groups; `params` and the class identify it, so that metrics share it."""

    def __init__(self, params: Hashable, view: View) -> None:
        self.params: Any = params
        self.view = view

    @abstractmethod
    def add(self, inputs: MetricInputs, membership: Membership) -> None:
        """Adds a batch."""

    @abstractmethod
    def merge(self, other: Any, groups: Sequence[int]) -> None:
        """Adds another kernel's state; its group `i` is this one's `groups[i]`."""

    @abstractmethod
    def state(self, group: int) -> Any:
        """Returns the state of one group."""


class Sums(Kernel):
    """Sums of per-row terms: an array `[groups, terms]`."""

    WIDTH: ClassVar[int]

    def __init__(self, params: Hashable, view: View) -> None:
        super().__init__(params, view)
        self._sums: FloatArray = np.zeros((0, self.width))

    @property
    def width(self) -> int:
        """How many terms a row has."""
        return self.WIDTH

    @abstractmethod
    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Returns `[rows, terms]`."""

    def add(self, inputs: MetricInputs, membership: Membership) -> None:
        """Adds a batch."""
        self._grow(membership.count)
        terms = self.terms(inputs)
        for i in range(terms.shape[1]):
            self._sums[:, i] += np.bincount(
                membership.groups, terms[membership.rows, i], minlength=membership.count
            )

    def merge(self, other: Sums, groups: Sequence[int]) -> None:
        """Adds another kernel's sums."""
        self._grow(max(groups, default=-1) + 1)
        other._grow(len(groups))
        np.add.at(self._sums, list(groups), other._sums[: len(groups)])

    def state(self, group: int) -> FloatArray:
        """Returns one group's sums."""
        result: FloatArray = self._sums[group]
        return result

    def _grow(self, count: int) -> None:
        if count > len(self._sums):
            more = np.zeros((count - len(self._sums), self.width))
            self._sums = np.concatenate([self._sums, more])


class Count(Sums):
    """The examples' number, or their weights' sum. Params: none."""

    WIDTH = 1

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Returns the weights."""
        return inputs.row_weights(self.view.weighted)[:, None]


class WeightedMean(Sums):
    """Weighted sum of a value a row, and the weights' sum. Params: a function of the inputs.

    The function takes `MetricInputs` and returns `[rows]`; rows where it is NaN are left out when the
    function says so by its attribute `skips_nan`.
    """

    WIDTH = 2

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Returns the weighted values and the weights."""
        values = np.asarray(self.params(inputs), dtype=np.float64)
        weights = inputs.row_weights(self.view.weighted)
        return np.column_stack([values * weights, weights])


class PairMean(Sums):
    """Weighted sum of a value a binary pair, and the weights' sum; NaN values are left out.

    Params: a function of labels and predictions, elementwise.
    """

    WIDTH = 2

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Returns the weighted values and the weights."""
        labels, predictions, weights = _unchecked_pairs(inputs, self.view)
        values = self.params(labels, predictions)
        kept = ~np.isnan(values)
        values, weights = np.where(kept, values, 0.0), np.where(kept, weights, 0.0)
        return np.column_stack([(values * weights).sum(axis=1), weights.sum(axis=1)])


class LabelPredictionSums(Sums):
    """Weighted sums of labels, predictions and ones, of their squares and products. Params: none."""

    WIDTH = 6

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Returns w*label, w*prediction, w, w*label^2, w*prediction^2, w*label*prediction."""
        labels, predictions, weights = _unchecked_pairs(inputs, self.view)
        parts = (labels, predictions, 1.0, labels**2, predictions**2, labels * predictions)
        return np.column_stack([(weights * part).sum(axis=1) for part in parts])


class ThresholdCounts(Sums):
    """True and false positives and negatives at given thresholds, exactly. Params: the thresholds.

    A prediction is positive when it is *greater* than the threshold. A label between 0 and 1 counts as
    a positive with that share of its weight and as a negative with the rest.
    """

    @property
    def width(self) -> int:
        """Four counts a threshold."""
        return 4 * len(self.params)

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Returns tp, tn, fp, fn for each threshold."""
        pairs = self.view.pairs(inputs)
        positive, negative = pairs.weights * pairs.labels, pairs.weights * (1.0 - pairs.labels)
        columns = []
        for threshold in self.params:
            above = pairs.predictions > threshold
            columns += [
                (positive * above).sum(axis=1),
                (negative * ~above).sum(axis=1),
                (negative * above).sum(axis=1),
                (positive * ~above).sum(axis=1),
            ]
        return np.column_stack(columns)


class Keyed(Kernel):
    """Sums at integer keys within a group, kept sparse: `[entries, terms]` beside sorted keys.

    A long state (histogram buckets, confusion matrices) over many slices is mostly empty.
    """

    WIDTH: ClassVar[int]
    _SPAN: ClassVar[int] = 1 << 40

    def __init__(self, params: Hashable, view: View) -> None:
        super().__init__(params, view)
        self._keys = np.empty(0, dtype=np.int64)
        self._sums: FloatArray = np.zeros((0, self.WIDTH))
        self._pending: list[tuple[npt.NDArray[np.int64], FloatArray]] = []
        self._num_pending = 0

    @abstractmethod
    def entries(self, inputs: MetricInputs) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Returns keys `[rows, n]`, below 2^40, and terms `[rows, n, terms]`."""

    def add(self, inputs: MetricInputs, membership: Membership) -> None:
        """Adds a batch."""
        keys, terms = self.entries(inputs)
        keys = keys[membership.rows] + membership.groups[:, None] * self._SPAN
        self._put(keys.reshape(-1), terms[membership.rows].reshape(-1, self.WIDTH))

    def merge(self, other: Keyed, groups: Sequence[int]) -> None:
        """Adds another kernel's sums."""
        other._compact()
        group, key = np.divmod(other._keys, self._SPAN)
        self._put(np.asarray(groups, dtype=np.int64)[group] * self._SPAN + key, other._sums)

    def state(self, group: int) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Returns one group's keys, sorted, and their sums."""
        self._compact()
        first, last = np.searchsorted(self._keys, [group * self._SPAN, (group + 1) * self._SPAN])
        return self._keys[first:last] - group * self._SPAN, self._sums[first:last]

    def _put(self, keys: npt.NDArray[np.int64], terms: FloatArray) -> None:
        keys, terms = _sum_by_key(keys, terms)
        self._pending.append((keys, terms))
        self._num_pending += len(keys)
        if self._num_pending > max(1_000_000, 2 * len(self._keys)):
            self._compact()

    def _compact(self) -> None:
        if self._pending:
            keys = np.concatenate([self._keys, *(keys for keys, _ in self._pending)])
            sums = np.concatenate([self._sums, *(terms for _, terms in self._pending)])
            self._keys, self._sums = _sum_by_key(keys, sums)
            self._pending, self._num_pending = [], 0


class Histogram(Keyed):
    """Weighted labels, predictions and examples by the prediction's bucket.

    Params: the number of buckets, and the range's ends. Bucket 0 lies below the range and the last,
    `buckets + 1`, at its upper end and above.
    """

    WIDTH = 3

    def entries(self, inputs: MetricInputs) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Returns each pair's bucket and its weighted label, prediction and weight."""
        buckets, left, right = self.params
        labels, predictions, weights = _unchecked_pairs(inputs, self.view)
        if bool(np.isnan(predictions).any()):
            raise ValueError(
                "The model predicted NaN, which has no place in a histogram of scores."
            )
        position = (predictions - left) / (right - left) * buckets + 1
        # TFMA truncates toward zero, so the bucket just below the range ends at position 1.
        keys = np.clip(position, 0, buckets + 1).astype(np.int64)
        return keys, np.stack([labels * weights, predictions * weights, weights], axis=2)


class ClassMatrix(Keyed):
    """Weights by actual and predicted class. Params: thresholds.

    The predicted class is the best one; where its score is not above a threshold it is no class (0; all
    others are shifted by one).
    """

    WIDTH = 1
    CLASSES: ClassVar[int] = 1 << 16

    def entries(self, inputs: MetricInputs) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Returns, for each threshold, the matrix cell of a row and its weight."""
        if inputs.predictions.shape[1] < 2:
            raise ValueError(
                "A multi-class confusion matrix needs one score a class. "
                f"Received: predictions of shape {list(inputs.predictions.shape)}"
            )
        predicted = np.argmax(inputs.predictions, axis=1)
        best = np.take_along_axis(inputs.predictions, predicted[:, None], axis=1)[:, 0]
        columns = []
        for i, threshold in enumerate(self.params):
            shown = np.where(best > threshold, predicted + 1, 0)
            columns.append((i * self.CLASSES + inputs.class_ids + 1) * self.CLASSES + shown)
        weights = inputs.row_weights(self.view.weighted)
        return np.stack(columns, axis=1), np.repeat(weights[:, None], len(columns), axis=1)[
            ..., None
        ]


KernelSpec = tuple[Callable[[Any, View], Kernel], Hashable]


def _unchecked_pairs(inputs: MetricInputs, view: View) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Regression's labels are any number; they pass by the check that binary pairs have."""
    if view.sub_key is None and not view.class_weights and not inputs.is_sparse:
        labels = inputs.dense_labels
        if labels.shape != inputs.predictions.shape:
            raise ValueError(
                f"Labels of shape {list(labels.shape)} do not pair with predictions of shape "
                f"{list(inputs.predictions.shape)}."
            )
        weights = np.repeat(inputs.row_weights(view.weighted)[:, None], labels.shape[1], axis=1)
        return labels, inputs.predictions.astype(np.float64), weights
    pairs = view.pairs(inputs)
    return pairs.labels, pairs.predictions, pairs.weights


def _sum_by_key(
    keys: npt.NDArray[np.int64], terms: FloatArray
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    unique, inverse = np.unique(keys, return_inverse=True)
    sums = [np.bincount(inverse, terms[:, i], minlength=len(unique)) for i in range(terms.shape[1])]
    return unique, np.stack(sums, axis=1)
