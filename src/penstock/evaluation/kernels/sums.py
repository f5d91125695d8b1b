"""Accumulators: what metrics keep of the rows, for all slices at once, and how parts merge.

Each kernel's state has a leading axis over groups (slices). Batches may come in any cut and order; two
kernels that saw different rows merge into what one would hold that saw both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs, Pairs
from penstock.evaluation.keys import SubKey
from penstock.evaluation.slices.slicing import Membership

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
    baseline: str | None = None
    """The model that the predictions are compared with."""
    query_key: str = ""
    """The feature whose equal values make rows a query."""
    raw: bool = False
    """Whether labels are lists of any length, and predictions whatever the signature returns."""
    rows_only: bool = False
    """Whether only the rows and their weights count."""

    @property
    def selects_classes(self) -> bool:
        """Whether labels and scores are taken class by class."""
        return self.sub_key is not None or self.aggregated or bool(self.class_weights)

    def pairs(self, inputs: MetricInputs) -> Pairs:
        """Return the binary pairs of this view."""
        return inputs.pairs(
            sub_key=self.sub_key,
            aggregated=self.aggregated,
            class_weights=self.class_weights,
            weighted=self.weighted,
        )


class Kernel(ABC):
    """State over groups; `params` and the class identify it, so that metrics share it.

    What a kernel must keep to, so that rows may be divided among batches, processes and Beam's workers:

    * `add` costs time by the batch, not by the groups that exist: `Membership.present` has the groups that
      have rows in the batch. There is no Python work for each row.
    * `merge` makes of two kernels what one would be that saw the rows of both: any cut of the rows into
      batches and kernels, merged in any order, gives the same `state` (up to the rounding of sums).
    * A kernel that was pickled has lost its `params`, which may be functions that cannot be pickled; it is
      only ever handed to the `merge` of one that has them. A kernel that holds more of this kind leaves it
      out in its own `__getstate__`. All else that it holds can be pickled.
    * A group that no row was added to has the state of no rows; so has one that a merged kernel did not
      know.
    * Memory is bounded by the number of groups times a constant; what must keep rows says so.

    `tests/unit/evaluation/test_merging.py` holds every metric's kernel to this.
    """

    NEEDS_NUMBERS: ClassVar = True
    """Whether predictions must be numbers."""

    def __init__(self, params: Hashable, view: View) -> None:
        self.params: Any = params
        self.view = view

    @abstractmethod
    def add(self, inputs: MetricInputs, membership: Membership) -> None:
        """Add a batch."""

    @abstractmethod
    def merge(self, other: Any, groups: Sequence[int]) -> None:
        """Add another kernel's state; its group `i` is added to this one's `groups[i]`."""

    @abstractmethod
    def state(self, group: int) -> Any:
        """Return the state of one group."""

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: all but the params."""
        return {name: value for name, value in vars(self).items() if name != "params"}


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
        """Return `[rows, terms]`."""

    def add(self, inputs: MetricInputs, membership: Membership) -> None:
        """Add a batch."""
        self._grow(membership.count)
        groups, index = membership.present
        terms = self.terms(inputs)
        for i in range(terms.shape[1]):
            added = np.bincount(index, terms[membership.rows, i], minlength=len(groups))
            self._sums[groups, i] += added

    def merge(self, other: Sums, groups: Sequence[int]) -> None:
        """Add another kernel's sums."""
        self._grow(max(groups, default=-1) + 1)
        known = min(len(groups), len(other._sums))
        into = np.asarray(groups[:known], dtype=np.int64)
        for i, column in enumerate(other._sums[:known].T):
            self._sums[:, i] += np.bincount(into, column, minlength=len(self._sums))

    def state(self, group: int) -> FloatArray:
        """Return one group's sums."""
        self._grow(group + 1)
        result: FloatArray = self._sums[group]
        return result

    def _grow(self, count: int) -> None:
        if count > len(self._sums):
            # Twice as many, since new groups come batch by batch.
            more = np.zeros((max(count, 2 * len(self._sums)) - len(self._sums), self.width))
            self._sums = np.concatenate([self._sums, more])


class Count(Sums):
    """The examples' number, or their weights' sum. Params: none."""

    NEEDS_NUMBERS = False

    WIDTH = 1

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return the weights."""
        return inputs.row_weights(self.view.weighted)[:, None]


class WeightedMean(Sums):
    """Weighted sum of one value per row, and the weights' sum. Params: a function of the inputs.

    The function takes `MetricInputs` and returns `[rows]`. In a micro average each class of a row counts
    as a row of its own.
    """

    WIDTH = 2

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return the weighted values and the weights."""
        if self.view.aggregated:
            pairs = self.view.pairs(inputs)
            flat = MetricInputs(pairs.labels.reshape(-1, 1), pairs.predictions.reshape(-1, 1))
            values = np.asarray(self.params(flat), dtype=np.float64).reshape(pairs.weights.shape)
            weighted = (values * pairs.weights).sum(axis=1)
            return np.column_stack([weighted, pairs.weights.sum(axis=1)])
        weights = inputs.row_weights(self.view.weighted)
        if self.view.sub_key is not None:
            inputs = inputs.of_class(self.view.sub_key)
        values = np.asarray(self.params(inputs), dtype=np.float64)
        return np.column_stack([values * weights, weights])


class RowSums(Sums):
    """Sums of as many terms as a function returns for a row: it is known with the first rows.

    Params: a function of the inputs and the rows' weights, which returns weighted terms `[rows, terms]`.
    In a micro average each class of a row counts as a row of its own.
    """

    def __init__(self, params: Hashable, view: View) -> None:
        self._width = 0
        super().__init__(params, view)

    @property
    def width(self) -> int:
        """How many terms a row has; 0 before the first rows."""
        return self._width

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return the function's terms."""
        if self.view.aggregated:
            pairs = self.view.pairs(inputs)
            flat = MetricInputs(pairs.labels.reshape(-1, 1), pairs.predictions.reshape(-1, 1))
            terms = np.asarray(self.params(flat, pairs.weights.reshape(-1)))
            return terms.reshape(*pairs.weights.shape, -1).sum(axis=1)  # type: ignore[no-any-return]
        weights = inputs.row_weights(self.view.weighted)
        if self.view.sub_key is not None:
            inputs = inputs.of_class(self.view.sub_key)
        return np.asarray(self.params(inputs, weights), dtype=np.float64)

    def add(self, inputs: MetricInputs, membership: Membership) -> None:
        """Add a batch."""
        if not self._width:
            self._set_width(self.terms(inputs).shape[1])
        super().add(inputs, membership)

    def merge(self, other: Sums, groups: Sequence[int]) -> None:
        """Add another kernel's sums."""
        if not self._width:
            self._set_width(other.width)
        if other.width:
            super().merge(other, groups)

    def _set_width(self, width: int) -> None:
        self._width = width
        self._sums = np.zeros((len(self._sums), width))


class RowMean(Sums):
    """Weighted sum of a user's value a row, and the weights' sum; NaN values are left out.

    Params: a function of labels and predictions.
    """

    NEEDS_NUMBERS = False
    WIDTH = 2

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return the weighted values and the weights."""
        labels, predictions, weights = row_arrays(inputs, self.view)
        values = np.asarray(self.params(labels, predictions), dtype=np.float64)
        if values.shape != weights.shape:
            raise ValueError(
                f"{self.params.func.__name__} must return one number per row, "
                f"{list(weights.shape)}. Received: an array of shape {list(values.shape)}"
            )
        kept = ~np.isnan(values)
        values, weights = np.where(kept, values, 0.0), np.where(kept, weights, 0.0)
        summed: FloatArray = np.column_stack([values * weights, weights])
        return summed


class PairMean(Sums):
    """Weighted sum of a value a binary pair, and the weights' sum; NaN values are left out.

    Params: a function of labels and predictions, elementwise.
    """

    WIDTH = 2

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return the weighted values and the weights."""
        labels, predictions, weights = unchecked_pairs(inputs, self.view)
        values = self.params(labels, predictions)
        # A prediction that is no number makes the mean none: it must not look like no error at all.
        kept = ~np.isnan(values) | np.isnan(predictions)
        values, weights = np.where(kept, values, 0.0), np.where(kept, weights, 0.0)
        return np.column_stack([(values * weights).sum(axis=1), weights.sum(axis=1)])


class LabelPredictionSums(Sums):
    """Weighted sums of labels, predictions and ones, of their squares and products. Params: none."""

    WIDTH = 6

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return w*label, w*prediction, w, w*label^2, w*prediction^2, w*label*prediction."""
        labels, predictions, weights = unchecked_pairs(inputs, self.view)
        parts = (labels, predictions, 1.0, labels**2, predictions**2, labels * predictions)
        return np.column_stack([(weights * part).sum(axis=1) for part in parts])


class PredictionSums(Sums):
    """Weighted sums of predictions and ones; labels do not count. Params: none."""

    WIDTH = 2

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return w*prediction and w."""
        view = self.view
        if view.sub_key is None and not view.class_weights:
            predictions = inputs.predictions.astype(np.float64)
            weights = inputs.row_weights(view.weighted)
            return np.column_stack(
                [weights * predictions.sum(axis=1), weights * predictions.shape[1]]
            )
        pairs = view.pairs(inputs)
        weighted = (pairs.predictions * pairs.weights).sum(axis=1)
        return np.column_stack([weighted, pairs.weights.sum(axis=1)])


class ThresholdCounts(Sums):
    """True and false positives and negatives at given thresholds, exactly. Params: the thresholds.

    A prediction is positive when it is *greater* than the threshold. A label between 0 and 1 counts as
    a positive with that share of its weight and as a negative with the rest.
    """

    @property
    def width(self) -> int:
        """Four counts per threshold."""
        return 4 * len(self.params)

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return tp, tn, fp, fn for each threshold."""
        pairs = self.view.pairs(inputs)
        pairs.check_binary()
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


def row_arrays(inputs: MetricInputs, view: View) -> tuple[Any, Any, FloatArray]:
    """Return labels, predictions and weights as a user's metric sees them.

    Labels and predictions are `[rows]`, or `[rows, values]` where there are several; weights `[rows]`.
    """
    labels, predictions = inputs.labels, inputs.predictions
    weights = inputs.row_weights(view.weighted)
    if view.selects_classes:
        pairs = view.pairs(inputs)
        labels, predictions = pairs.labels, pairs.predictions
    return (
        labels[:, 0] if labels.shape[1] == 1 else labels,
        predictions[:, 0] if predictions.shape[1] == 1 else predictions,
        weights,
    )


def rows_by_group(membership: Membership) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Yield each group that has rows, with its rows in order."""
    order = np.argsort(membership.groups, kind="stable")
    groups, first = np.unique(membership.groups[order], return_index=True)
    parts = np.split(membership.rows[order], first[1:]) if len(groups) else []
    yield from zip(groups.tolist(), parts, strict=True)


KernelSpec = tuple[Callable[[Any, View], Kernel], Hashable]


def unchecked_pairs(inputs: MetricInputs, view: View) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return labels, predictions and weights, `[rows, classes]`; the labels are any numbers.

    Binary pairs have a check that regression's labels would fail.
    """
    if view.sub_key is None and not view.class_weights and not inputs.is_sparse:
        labels = inputs.dense_labels
        if labels.shape != inputs.predictions.shape:
            raise ValueError(
                f"Labels of shape {list(labels.shape)} do not match predictions of shape "
                f"{list(inputs.predictions.shape)}."
            )
        weights = np.repeat(inputs.row_weights(view.weighted)[:, None], labels.shape[1], axis=1)
        return labels, inputs.predictions.astype(np.float64), weights
    pairs = view.pairs(inputs)
    return pairs.labels, pairs.predictions, pairs.weights
