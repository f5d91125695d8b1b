"""A metric's message as plain numbers: its parts, each with the bounds of its interval."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

_ARRAYS = ("float64_values", "float32_values", "int64_values", "int32_values")
_COUNTS = ("false_negatives", "true_negatives", "false_positives", "true_positives")
_AT_THRESHOLD = (*_COUNTS, "precision", "recall")
CONFIDENCE = 0.95
"""What TFMA's intervals of a t distribution cover."""


class Number(NamedTuple):
    """One number of a metric.

    Args:
        value: The number; NaN where there is none.
        lower: The lower end of its interval; None without one.
        upper: The upper end.
        standard_error: Of the samples that the interval comes from; None without one.
        field: Which part of a structured value, such as "recall"; empty for a plain number.
        position: Where in it: the threshold, the cut-off, the place in an array.
        note: What stands instead of a number: text, or why there is none.
    """

    value: float
    lower: float | None = None
    upper: float | None = None
    standard_error: float | None = None
    field: str = ""
    position: float | None = None
    note: str = ""


def numbers_of(entry: Any) -> Iterator[Number]:
    """Yield the numbers of a `MetricKeyAndValue` message: one of a plain metric, several of an array.

    The interval is the entry's `confidence_interval`, or else what a `bounded_value` or a
    `t_distribution_value` holds.
    """
    bounds = None
    if entry.HasField("confidence_interval"):
        interval = entry.confidence_interval
        bounds = [
            {(field, at): value for field, at, value in _parts(message)}
            for message in (interval.lower_bound, interval.upper_bound, interval.standard_error)
        ]
    yield from value_numbers(entry.value, bounds)


def value_numbers(message: Any, bounds: Any = None) -> Iterator[Number]:
    """Yield the numbers of a `MetricValue` message.

    Args:
        message: The message.
        bounds: Lower and upper ends and standard errors by field and place, where they stand apart.
    """
    kind = message.WhichOneof("type")
    if kind == "bounded_value":
        yield _bounded(message.bounded_value)
    elif kind == "t_distribution_value":
        yield _t_distributed(message.t_distribution_value)
    elif kind == "bytes_value":
        yield Number(math.nan, note=message.bytes_value.decode(errors="replace"))
    elif kind == "debug_message":
        yield Number(math.nan, note=message.debug_message)
    elif kind == "unknown_type":
        yield Number(math.nan, note=message.unknown_type.error)
    else:
        for field, at, value in _parts(message):
            if bounds is None:
                yield Number(value, field=field, position=at)
            else:
                lower, upper, error = (found.get((field, at)) for found in bounds)
                yield Number(value, lower, upper, error, field, at)


def _parts(message: Any) -> Iterator[tuple[str, float | None, float]]:
    kind = message.WhichOneof("type")
    if kind == "double_value":
        yield "", None, message.double_value.value
    elif kind == "array_value":
        array = message.array_value
        values = next((getattr(array, name) for name in _ARRAYS if len(getattr(array, name))), ())
        for i, value in enumerate(values):
            yield "", float(i), float(value)
    elif kind == "value_at_cutoffs":
        for pair in message.value_at_cutoffs.values:
            yield "", float(pair.cutoff), _cutoff_value(pair)
    elif kind == "confusion_matrix_at_thresholds":
        for matrix in message.confusion_matrix_at_thresholds.matrices:
            for name in _AT_THRESHOLD:
                yield name, matrix.threshold, getattr(matrix, name)
    elif kind == "multi_class_confusion_matrix_at_thresholds":
        for matrix in message.multi_class_confusion_matrix_at_thresholds.matrices:
            for entry in matrix.entries:
                field = f"actual {entry.actual_class_id}, predicted {entry.predicted_class_id}"
                yield field, matrix.threshold, entry.num_weighted_examples


def _cutoff_value(pair: Any) -> float:
    if pair.HasField("bounded_value"):
        return float(pair.bounded_value.value.value)
    if pair.HasField("t_distribution_value"):
        return float(pair.t_distribution_value.unsampled_value.value)
    return float(pair.value)


def _bounded(message: Any) -> Number:
    lower = message.lower_bound.value if message.HasField("lower_bound") else None
    upper = message.upper_bound.value if message.HasField("upper_bound") else None
    return Number(message.value.value if message.HasField("value") else math.nan, lower, upper)


def _t_distributed(message: Any) -> Number:
    """Return the number that was computed of all rows, within the samples' interval, as TFMA does."""
    from scipy import stats

    error = message.sample_standard_deviation.value
    mean = message.sample_mean.value
    freedom = message.sample_degrees_of_freedom.value
    half = error * float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) if freedom > 0 else math.nan
    value = message.unsampled_value.value if message.HasField("unsampled_value") else mean
    return Number(value, mean - half, mean + half, error)
