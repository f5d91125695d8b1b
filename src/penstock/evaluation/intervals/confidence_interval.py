"""Confidence intervals from a metric's values of samples, by TFMA's formulas.

Source: tensorflow_model_analysis/evaluators/jackknife.py, poisson_bootstrap.py and utils/math_util.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.intervals.resampling import NUM_SAMPLES, Jackknife, Resampling

FloatArray = npt.NDArray[np.float64]

CONFIDENCE = 0.95
"""How often an interval should hold the value that more data of the same kind would give."""

_DEGREES_OF_FREEDOM = NUM_SAMPLES - 1
# The 0.975 quantile of Student's t distribution with 19 degrees of freedom.
_T_QUANTILE = 2.093024054408263


@dataclass(frozen=True)
class ConfidenceInterval:
    """The interval in which 95% confidence puts a metric's value.

    Args:
        lower: The lower end: a float, or what the metric's value is (an array, confusion matrices).
        upper: The upper end.
        standard_error: The standard error that the samples show.
        degrees_of_freedom: Of the t distribution that the ends come from.

    Example:
        >>> print(evaluation.metrics()["auc"].interval)
        0.913 to 0.958
    """

    lower: Any
    upper: Any
    standard_error: Any
    degrees_of_freedom: int = _DEGREES_OF_FREEDOM

    def __str__(self) -> str:
        if not isinstance(self.lower, float):
            return f"{self.lower} to {self.upper}"
        return f"{self.lower:.3g} to {self.upper:.3g}"


class Estimate(float):
    """A metric's value, with its confidence interval where one was asked for.

    It is a float. `interval` is None if the EvalConfig does not ask for confidence intervals, or if
    there is none of this metric.

    Example:
        >>> auc = evaluation.metrics()["auc"]
        >>> auc, auc.interval.lower
        (0.936, 0.913)
    """

    interval: ConfidenceInterval | None

    def __new__(cls, value: float, interval: ConfidenceInterval | None = None) -> Estimate:
        """Make the value."""
        made = super().__new__(cls, value)
        made.interval = interval
        return made

    def __getnewargs__(self) -> tuple[float, ConfidenceInterval | None]:  # type: ignore[override]
        return float(self), self.interval


def interval_ends(
    method: type[Resampling], value: FloatArray, samples: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return lower ends, upper ends and standard errors, each of the shape of `value`.

    Args:
        method: How the samples were taken.
        value: The values of all rows, of any shape.
        samples: The values of the samples, `[20, ...]`.
    """
    mean = _sum(samples) / NUM_SAMPLES
    if method is Jackknife:
        pseudo = value * NUM_SAMPLES - samples * (NUM_SAMPLES - 1)
        error = _deviation(pseudo) / NUM_SAMPLES**0.5
    else:
        error = _deviation(samples)
    return mean - error * _T_QUANTILE, mean + error * _T_QUANTILE, error


def interval_of(
    method: type[Resampling], value: Any, samples: Sequence[Any]
) -> ConfidenceInterval | None:
    """Return the interval of a metric in one slice; None if its value is not made of numbers.

    Args:
        method: How the samples were taken.
        value: The value of all rows: a float, an array, or a structured value.
        samples: The values of the 20 samples.
    """
    numbers, rebuilt = _numbers([value, *samples])
    if numbers is None:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        ends = interval_ends(method, numbers[0], numbers[1:])
    return ConfidenceInterval(*map(rebuilt, ends))


def minus(one: Any, other: Any) -> Any:
    """Return the difference of two values of a metric; None if they are not made of numbers."""
    if isinstance(one, float) and isinstance(other, float):
        return one - other
    numbers, rebuilt = _numbers([one, other])
    return None if numbers is None else rebuilt(numbers[0] - numbers[1])


def _numbers(values: Sequence[Any]) -> tuple[FloatArray | None, Callable[[FloatArray], Any]]:
    """Return the numbers of values of one kind, `[values, ...]`, and what makes such a value of numbers."""
    first = values[0]
    if all(isinstance(value, float) for value in values):
        return np.array(values, dtype=np.float64), float
    if all(isinstance(v, np.ndarray) and v.dtype.kind in "biuf" for v in values):
        if len({value.shape for value in values}) == 1:
            return np.array(values, dtype=np.float64), np.asarray
    elif all(type(v) is type(first) and hasattr(v, "entries") for v in values):
        parts = [value.entries() for value in values]
        names = list(dict.fromkeys(name for part in parts for name in part))
        # What one value has no entry for, such as a pair of classes, counts as 0 there.
        table = np.array([[part.get(name, 0.0) for name in names] for part in parts])
        return table, lambda row: first.with_entries(dict(zip(names, row, strict=True)))
    return None, float


def _sum(values: FloatArray) -> FloatArray:
    """Return the sum of the rows, added in their order as TFMA does."""
    total: FloatArray = values[0]
    for each in values[1:]:
        total = total + each
    return total


def _deviation(values: FloatArray) -> FloatArray:
    mean = _sum(values) / len(values)
    result: FloatArray = (_sum((values - mean) ** 2) / (len(values) - 1)) ** 0.5
    return result
