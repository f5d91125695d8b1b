"""Your own metrics: a class with a mergeable state, or a function of rows; without Beam."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Floats = npt.NDArray[np.float64]

ROW_METRIC = "__penstock_row_metric__"
"""The attribute that marks a function of rows."""

F = TypeVar("F", bound=Callable[..., Any])


class Metric(ABC):
    """A user's metric, exact in every slice.

    There is one object per slice. It receives the slice's rows in batches of any size and order,
    and keeps what it needs: after `merge`, it must be like one object that has seen all rows of
    both.

    An EvalConfig asks for it by class and module, and its `config` has the arguments of `__init__`.
    The metric's name is `name` in the config, or the class's in snake case. It may be binarized by
    class and averaged over classes like any other metric.

    Example:
        # modules/metrics.py
        class FBeta(Metric):
            def __init__(self, beta: float = 1.0) -> None:
                self.beta, self.counts = beta, np.zeros(3)

            def add(self, labels, predictions, weights) -> None:
                chosen = predictions > 0.5
                found = (weights * labels * chosen).sum()
                self.counts += found, (weights * chosen).sum(), (weights * labels).sum()

            def merge(self, other) -> None:
                self.counts += other.counts

            def result(self) -> float:
                found, predicted, actual = self.counts
                return (1 + self.beta**2) * found / (self.beta**2 * actual + predicted)

        # in the pipeline file
        MetricConfig(class_name="FBeta", module="modules.metrics", config='"beta": 2')
    """

    @abstractmethod
    def add(self, labels: Array, predictions: Array, weights: Floats) -> None:
        """Add rows of the slice.

        Args:
            labels: `[rows]`, or `[rows, values]` where the label has several values; numbers, or bytes.
            predictions: `[rows]`, or `[rows, classes]`.
            weights: `[rows]`, ones where no weights apply.
        """

    @abstractmethod
    def merge(self, other: Any) -> None:
        """Add the state of another object of this class."""

    @abstractmethod
    def result(self) -> Any:
        """Return the value: a number, or an array of numbers; NaN where it is not defined."""


def row_metric(function: F) -> F:
    """Declare a function of labels and predictions as a metric: the weighted mean of its values.

    The function takes labels and predictions, `[rows]` or `[rows, values]`, and returns one number
    per row, `[rows]`; rows where it is NaN are left out. Further arguments come from
    `MetricConfig.config`.

    Example:
        # modules/metrics.py
        @row_metric
        def within(labels, predictions, tolerance=1.0):
            return abs(labels - predictions) <= tolerance

        # in the pipeline file
        MetricConfig(class_name="within", module="modules.metrics", config='"tolerance": 0.5')
    """
    setattr(function, ROW_METRIC, True)
    return function
