"""Keras metric classes as kernels: one state a slice in one metric object."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import Kernel, View, rows_by_group
from penstock.evaluation.slices.slicing import Membership

Variables = list[npt.NDArray[Any]]


def is_keras_metric(found: Any) -> bool:
    """Return whether `found` is a metric class of Keras 2 or 3; import neither."""
    return inspect.isclass(found) and any(
        base.__name__ == "Metric" and "keras" in base.__module__ for base in found.__mro__
    )


def is_keras_loss(found: Any) -> bool:
    """Return whether `found` is a loss class of Keras 2 or 3; import neither."""
    return inspect.isclass(found) and any(
        base.__name__ == "Loss" and "keras" in base.__module__ for base in found.__mro__
    )


class LossOfRows:
    """What a Keras loss is of each row, before its reduction.

    Args:
        where: The loss's name, for messages.
        loss: The loss.
    """

    def __init__(self, where: str, loss: Any) -> None:
        self._where, self._loss = where, loss

    def __call__(self, inputs: MetricInputs) -> npt.NDArray[Any]:
        """Return a value a row.

        Raises:
            ValueError: If the loss has no value for a single row.
        """
        labels = inputs.labels.astype(np.float32)
        values = np.asarray(self._loss.call(labels, inputs.predictions.astype(np.float32)))
        if values.ndim == 0 or len(values) != len(labels):
            raise ValueError(
                f"{self._where} must return a value for each row before its reduction. Received: the "
                f"shape {list(values.shape)} for {len(labels)} rows"
            )
        return values.reshape(len(values), -1).mean(axis=1)  # type: ignore[no-any-return]


class KerasStates(Kernel):
    """The variables of a Keras metric a group. Params: what makes the metric.

    `update_state` sees labels and predictions of a slice's rows, `[rows, values]`, as TFMA hands them
    over, and the weights, `[rows]`, where weights apply. Kernels merge by adding variables, as TFMA's do.
    """

    NEEDS_NUMBERS = False

    def __init__(self, params: Any, view: View) -> None:
        super().__init__(params, view)
        self._metric = params()
        self._states: list[Variables | None] = []

    def add(self, inputs: MetricInputs, membership: Membership) -> None:
        """Add a batch."""
        self._grow(membership.count)
        labels, predictions = inputs.labels, inputs.predictions
        if self.view.selects_classes:
            pairs = self.view.pairs(inputs)
            labels = pairs.labels.astype(np.float32)
            predictions = pairs.predictions.astype(np.float32)
        row_weights = inputs.row_weights(self.view.weighted).astype(np.float32)
        for group, rows in rows_by_group(membership):
            self._load(self._states[group])
            weights = {"sample_weight": row_weights[rows]} if self.view.weighted else {}
            self._metric.update_state(labels[rows], predictions[rows], **weights)
            self._states[group] = [np.array(v.numpy()) for v in self._metric.variables]

    def merge(self, other: KerasStates, groups: Sequence[int]) -> None:
        """Add another kernel's variables."""
        self._grow(max(groups, default=-1) + 1)
        for group, theirs in zip(groups, other._states, strict=False):
            own = self._states[group]
            if own is not None and theirs is not None:
                theirs = [mine + more for mine, more in zip(own, theirs, strict=True)]
            if theirs is not None:
                self._states[group] = theirs

    def state(self, group: int) -> Any:
        """Return one group's result."""
        self._grow(group + 1)
        self._load(self._states[group])
        result = self._metric.result()
        return result.numpy() if hasattr(result, "numpy") else result

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: the states, without the metric that they are loaded into."""
        return {name: value for name, value in super().__getstate__().items() if name != "_metric"}

    def _load(self, values: Variables | None) -> None:
        if values is None:
            self._metric.reset_state()
            return
        for variable, value in zip(self._metric.variables, values, strict=True):
            variable.assign(value)

    def _grow(self, count: int) -> None:
        self._states += [None] * (count - len(self._states))
