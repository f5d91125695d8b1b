"""Drift and skew: comparing a feature with its statistics elsewhere."""

from typing import NamedTuple, TypeAlias

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from penstock.data_validation.anomalies.checked_statistics import CheckedFeature
from penstock.data_validation.anomalies.distances import (
    categorical_divergence,
    histogram_divergence,
    l_infinity_distance,
    normalized_absolute_difference,
)
from penstock.data_validation.anomalies.finding import AnomalyType, Finding, six_digits

_Measurement: TypeAlias = anomalies_pb2.DriftSkewInfo.Measurement
_LIMITS = ("infinity_norm", "normalized_abs_difference", "jensen_shannon_divergence")


class _Sides(NamedTuple):
    control: str
    treatment: str


_SIDES = {"drift": _Sides("previous", "current"), "skew": _Sides("serving", "training")}


def check_comparator(
    feature: schema_pb2.Feature, view: CheckedFeature, kind: str
) -> tuple[list[Finding], list[_Measurement]]:
    """Compare a feature with the previous span ("drift") or with serving data ("skew").

    Returns:
        What exceeds a threshold, and every distance that was measured.
    """
    field = f"{kind}_comparator"
    dataset = view.dataset.previous if kind == "drift" else view.dataset.serving
    if not feature.HasField(field) or dataset is None:
        return [], []
    comparator = getattr(feature, field)
    limited = [name for name in _LIMITS if getattr(comparator, name).HasField("threshold")]
    if not limited:
        return [], []
    sides = _SIDES[kind]
    control = dataset.get(view.path)
    if control is None:
        for name in limited:
            getattr(comparator, name).ClearField("threshold")
        missing = AnomalyType.COMPARATOR_CONTROL_DATA_MISSING
        short, text = f"{sides.control} data missing", f"{sides.control} data is missing."
        return [Finding(missing, short, text)], []
    findings: list[Finding] = []
    measurements = []
    for name in limited:
        limit = getattr(comparator, name)
        measured = _measure(name, view, control, limit)
        if measured is None:
            continue
        value, distance = measured
        measurements.append(
            _Measurement(type=_MEASUREMENT_TYPES[name], value=distance, threshold=limit.threshold)
        )
        if distance > limit.threshold:
            findings.append(_exceeded(name, sides, value, distance, limit.threshold))
            limit.threshold = distance
    return findings, measurements


_MEASUREMENT_TYPES = {
    "infinity_norm": _Measurement.L_INFTY,
    "jensen_shannon_divergence": _Measurement.JENSEN_SHANNON_DIVERGENCE,
    "normalized_abs_difference": _Measurement.NORMALIZED_ABSOLUTE_DIFFERENCE,
}
_TITLES = {
    "infinity_norm": "Linfty distance",
    "jensen_shannon_divergence": "approximate Jensen-Shannon divergence",
    "normalized_abs_difference": "normalized absolute difference",
}
_EXCEEDED = {
    "infinity_norm": AnomalyType.COMPARATOR_L_INFTY_HIGH,
    "jensen_shannon_divergence": AnomalyType.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
    "normalized_abs_difference": AnomalyType.COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH,
}


def _measure(
    name: str, view: CheckedFeature, control: CheckedFeature, limit: object
) -> tuple[str, float] | None:
    counts, control_counts = view.value_counts, control.value_counts
    if name == "infinity_norm":
        return l_infinity_distance(counts, control_counts)
    if name == "normalized_abs_difference":
        return normalized_absolute_difference(counts, control_counts)
    if counts and control_counts:
        divergence = categorical_divergence(counts, control_counts)
    else:
        divergence = _divergence_of_numbers(view, control, limit)
    return None if divergence is None else ("", divergence)


def _divergence_of_numbers(
    view: CheckedFeature, control: CheckedFeature, limit: object
) -> float | None:
    by_quantiles = (
        isinstance(limit, schema_pb2.JensenShannonDivergence)
        and limit.source.type == schema_pb2.HistogramSelection.QUANTILES
    )
    kinds = statistics_pb2.Histogram
    kind = kinds.QUANTILES if by_quantiles else kinds.STANDARD
    mine, theirs = view.histogram(kind), control.histogram(kind)
    if mine is None or theirs is None:
        return None
    return histogram_divergence(mine, theirs)


def _exceeded(name: str, sides: _Sides, value: str, distance: float, threshold: float) -> Finding:
    what = f"{_TITLES[name]} between {sides.treatment} and {sides.control}"
    text = (
        f"The {what} is {six_digits(distance)} (up to six significant digits), above the "
        f"threshold {six_digits(threshold)}."
    )
    if name != "jensen_shannon_divergence":
        text += f" The feature value with maximum difference is: {value}"
    return Finding(_EXCEEDED[name], f"High {what}", text)
