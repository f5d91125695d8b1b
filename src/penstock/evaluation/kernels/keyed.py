"""Accumulators of long states: histograms of scores, confusion matrices of classes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar

import numpy as np

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import FloatArray, Kernel, View, unchecked_pairs
from penstock.evaluation.slices.slicing import IntArray, Membership

_PENDING = 1 << 18
_DENSE = 8


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
        # Groups, keys and terms that are not summed yet: sums cost less in large numbers.
        self._pending: list[tuple[IntArray, IntArray, FloatArray]] = []
        self._num_pending = 0

    @abstractmethod
    def entries(self, inputs: MetricInputs) -> tuple[IntArray, FloatArray]:
        """Return keys `[rows, n]`, below 2^40, and terms `[rows, n, terms]`."""

    def add(self, inputs: MetricInputs, membership: Membership) -> None:
        """Add a batch."""
        keys, terms = self.entries(inputs)
        keys, terms = keys[membership.rows], terms[membership.rows]
        groups = np.repeat(membership.groups, keys.shape[1])
        self._put(groups, keys.reshape(-1), terms.reshape(-1, self.WIDTH))

    def merge(self, other: Keyed, groups: Sequence[int]) -> None:
        """Add another kernel's sums."""
        other._compact()
        group, key = np.divmod(other._keys, self._SPAN)
        self._put(np.asarray(groups, dtype=np.int64)[group], key, other._sums)

    def state(self, group: int) -> tuple[IntArray, FloatArray]:
        """Return one group's keys, sorted, and their sums."""
        self._compact()
        first, last = np.searchsorted(self._keys, [group * self._SPAN, (group + 1) * self._SPAN])
        return self._keys[first:last] - group * self._SPAN, self._sums[first:last]

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: sums, not the entries that they are made of."""
        self._compact()
        return super().__getstate__()

    def _put(self, groups: IntArray, keys: IntArray, terms: FloatArray) -> None:
        self._pending.append((groups, keys, terms))
        self._num_pending += len(keys)
        # A state that is longer than that is not summed anew for a few entries.
        if self._num_pending > max(_PENDING, 2 * len(self._keys)):
            self._compact()

    def _compact(self) -> None:
        if not self._pending:
            return
        group, key = np.divmod(self._keys, self._SPAN)
        groups = np.concatenate([group, *(groups for groups, _, _ in self._pending)])
        keys = np.concatenate([key, *(keys for _, keys, _ in self._pending)])
        terms = np.concatenate([self._sums, *(terms for _, _, terms in self._pending)])
        self._pending, self._num_pending = [], 0
        width, height = int(keys.max(initial=0)) + 1, int(groups.max(initial=0)) + 1
        if width * height <= _DENSE * len(keys):
            # Without sorting: there are hardly more possible keys than entries.
            places = groups * width + keys
            found = np.nonzero(np.bincount(places, minlength=width * height))[0]
            sums = [np.bincount(places, term)[found] for term in terms.T]
            group, key = np.divmod(found, width)
            self._keys = group * self._SPAN + key
        else:
            self._keys, inverse = np.unique(groups * self._SPAN + keys, return_inverse=True)
            sums = [np.bincount(inverse, term, minlength=len(self._keys)) for term in terms.T]
        self._sums = np.stack(sums, axis=1)


class Histogram(Keyed):
    """Weighted labels, predictions and examples by the prediction's bucket.

    Params: the number of buckets, and the range's ends. Bucket 0 lies below the range and the last,
    `buckets + 1`, at its upper end and above.
    """

    WIDTH = 3

    def entries(self, inputs: MetricInputs) -> tuple[IntArray, FloatArray]:
        """Return each pair's bucket and its weighted label, prediction and weight."""
        buckets, left, right = self.params
        labels, predictions, weights = unchecked_pairs(inputs, self.view)
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

    def entries(self, inputs: MetricInputs) -> tuple[IntArray, FloatArray]:
        """Return, for each threshold, the matrix cell of a row and its weight."""
        if inputs.predictions.shape[1] < 2:
            raise ValueError(
                "A multi-class confusion matrix needs one score per class. "
                f"Received: predictions of shape {list(inputs.predictions.shape)}"
            )
        ids = inputs.class_ids
        if len(ids) and not -1 <= ids.min() <= ids.max() < self.CLASSES - 1:
            wrong = ids[(ids < -1) | (ids >= self.CLASSES - 1)][0]
            raise ValueError(
                "A multi-class confusion matrix needs labels that are class ids from 0 to "
                f"{self.CLASSES - 2:,}, or -1 for an unknown one. Received: {wrong}"
            )
        predicted = np.argmax(inputs.predictions, axis=1)
        best = np.take_along_axis(inputs.predictions, predicted[:, None], axis=1)[:, 0]
        columns = []
        for i, threshold in enumerate(self.params):
            shown = np.where(best > threshold, predicted + 1, 0)
            columns.append((i * self.CLASSES + ids + 1) * self.CLASSES + shown)
        weights = inputs.row_weights(self.view.weighted)
        return np.stack(columns, axis=1), np.repeat(weights[:, None], len(columns), axis=1)[
            ..., None
        ]


class ScoreBuckets(Keyed):
    """Weighted scores and weights by the score's place among thresholds. Params: these, ascending.

    In bucket `i` the score is greater than the first `i` thresholds.
    """

    WIDTH = 2

    def entries(self, inputs: MetricInputs) -> tuple[IntArray, FloatArray]:
        """Return each score's bucket, its weighted score and its weight."""
        scores, weights = inputs.predictions.astype(np.float64), None
        if self.view.selects_classes:
            pairs = self.view.pairs(inputs)
            scores, weights = pairs.predictions, pairs.weights
        if weights is None:
            rows = inputs.row_weights(self.view.weighted)
            weights = np.broadcast_to(rows[:, None], scores.shape)
        keys = np.searchsorted(np.array(self.params), scores, side="left").astype(np.int64)
        # A score that is no number is above nothing.
        keys = np.where(np.isnan(scores), 0, keys)
        return keys, np.stack([scores * weights, weights], axis=2)


class LabelMatrix(Keyed):
    """Confusion matrices of each class, by actual class. Params: thresholds.

    A row counts for each class that its label has. Terms are false and true negatives, false and true
    positives.
    """

    WIDTH = 4
    CLASSES: ClassVar[int] = 1 << 12

    def entries(self, inputs: MetricInputs) -> tuple[IntArray, FloatArray]:
        """Return, for each threshold and pair of classes, the cell of a row and its terms."""
        labels, scores = inputs.dense_labels != 0, inputs.predictions.astype(np.float64)
        rows, classes = scores.shape
        if not 2 <= classes <= self.CLASSES or labels.shape != scores.shape:
            raise ValueError(
                f"A multi-label confusion matrix needs one score for each of at most {self.CLASSES:,} "
                "classes, and class ids or one label per class. Received: labels of shape "
                f"{list(inputs.labels.shape)} and predictions of shape "
                f"{list(scores.shape)}"
            )
        weights = inputs.row_weights(self.view.weighted)[:, None] * labels
        keys, terms = [], []
        for i, threshold in enumerate(self.params):
            above = scores > threshold
            kinds = (labels & ~above, ~labels & ~above, ~labels & above, labels & above)
            each = np.stack(kinds, axis=2)[:, None] * weights[:, :, None, None]
            actual, predicted = np.mgrid[0:classes, 0:classes]
            key = (i * self.CLASSES + actual) * self.CLASSES + predicted
            keys.append(np.broadcast_to(key.reshape(1, -1), (rows, classes**2)))
            terms.append(each.reshape(rows, classes**2, 4))
        return np.concatenate(keys, axis=1), np.concatenate(terms, axis=1)
