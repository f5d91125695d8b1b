"""Number of values, shape, presence and uniqueness: inferring them and checking them."""

from typing import Any

import numpy as np
from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data_validation.anomalies.checked_statistics import CheckedFeature
from penstock.data_validation.anomalies.finding import AnomalyType, Finding

_FEW = (AnomalyType.FEATURE_TYPE_LOW_NUMBER_VALUES, "Missing values")
_MANY = (AnomalyType.FEATURE_TYPE_HIGH_NUMBER_VALUES, "Superfluous values")
_NESTEDNESS = (AnomalyType.VALUE_NESTEDNESS_MISMATCH, "Mismatched value nest level")
_SHAPE = (AnomalyType.INVALID_FEATURE_SHAPE, "Feature shape dropped")
_DROPPED = "Column dropped"
_ALMOST_ALL = 0.9999


def infer_presence(feature: schema_pb2.Feature, view: CheckedFeature, infer_shape: bool) -> None:
    """Set presence, and shape or number of values, to what the statistics show."""
    feature.presence.min_count = 1 if view.num_present >= 1 else 0
    if view.num_present <= 0:
        return
    if not view.num_missing:
        feature.presence.min_fraction = 1.0
    if infer_shape and view.schema_type != schema_pb2.STRUCT:
        _infer_shape(feature, view)
    if not feature.HasField("shape"):
        _infer_value_counts(feature, view)


def _infer_shape(feature: schema_pb2.Feature, view: CheckedFeature) -> None:
    bounds = view.value_bounds
    if any(view.missing_by_level) or any(low != high or low <= 0 for low, high in bounds):
        return
    for size, _ in bounds:
        feature.shape.dim.add(size=size)


def _infer_value_counts(feature: schema_pb2.Feature, view: CheckedFeature) -> None:
    def infer(count: Any, low: int, high: int) -> None:
        if low > 0:
            count.min = low if low == high else 1
            if low == high:
                count.max = low

    if view.is_nested:
        for low, high in view.value_bounds:
            infer(feature.value_counts.value_count.add(), low, high)
    elif view.value_bounds[0][0] > 0:
        infer(feature.value_count, *view.value_bounds[0])


def check_value_counts(feature: schema_pb2.Feature, view: CheckedFeature) -> list[Finding]:
    """Check the number of values per row at each level of nesting."""
    bounds = view.value_bounds
    if feature.HasField("value_count"):
        if len(bounds) == 1:
            return _check_bounds(feature.value_count, *bounds[0], "")
        text = (
            "This feature has a value_count, but the nestedness level of the feature > 1. For "
            "features with nestedness levels greater than 1, value_counts, not value_count, "
            "should be specified."
        )
        feature.ClearField("value_count")
    elif feature.HasField("value_counts"):
        counts = feature.value_counts.value_count
        if len(counts) == len(bounds):
            findings = []
            for level, (count, (low, high)) in enumerate(zip(counts, bounds, strict=True)):
                findings += _check_bounds(count, low, high, f" at nestedness level {level}")
            return findings
        text = (
            "The values have a different nest level than expected. Value counts will not be "
            "checked."
        )
        feature.ClearField("value_counts")
    else:
        return []
    _infer_value_counts(feature, view)
    return [Finding(*_NESTEDNESS, text)]


def _check_bounds(count: Any, low: int, high: int, where: str) -> list[Finding]:
    findings = []
    if count.HasField("min") and low < count.min:
        findings.append(Finding(*_FEW, f"Some examples have fewer values than expected{where}."))
        if low:
            count.min = low
        else:
            count.ClearField("min")
    if count.HasField("max") and high > count.max:
        findings.append(Finding(*_MANY, f"Some examples have more values than expected{where}."))
        count.max = high
    return findings


def check_shape(feature: schema_pb2.Feature, view: CheckedFeature) -> list[Finding]:
    """Check that the number of values is fixed and fits the shape."""
    if not feature.HasField("shape"):
        return []
    expected = int(np.prod([dim.size for dim in feature.shape.dim], dtype=np.int64))
    varies = any(low != high or not low for low, high in view.value_bounds)
    actual = int(np.prod([low for low, _ in view.value_bounds], dtype=np.int64))
    if varies or actual <= 0 or any(view.missing_by_level):
        feature.ClearField("shape")
        text = (
            "The feature has a shape, but it's not always present (if the feature is nested, then "
            "it should always be present at each nested level) or its value lengths vary."
        )
        return [Finding(*_SHAPE, text)]
    if actual != expected:
        feature.ClearField("shape")
        text = (
            f"The feature has fixed value length {actual} but it's not compatible with the "
            f"specified shape."
        )
        return [Finding(*_SHAPE, text)]
    return []


def check_presence(presence: schema_pb2.FeaturePresence, view: CheckedFeature) -> list[Finding]:
    """Check in how many rows, and in which fraction of them, the feature is."""
    findings = []
    if presence.HasField("min_count") and view.num_present < presence.min_count:
        expected, presence.min_count = presence.min_count, int(view.num_present)
        text = (
            f"The feature was present in fewer examples than expected: minimum count = "
            f"{expected}, actual = {presence.min_count}"
        )
        findings.append(Finding(AnomalyType.FEATURE_TYPE_LOW_NUMBER_PRESENT, _DROPPED, text))
    fraction = view.fraction_present
    if not presence.HasField("min_fraction") or fraction is None:
        return findings
    low_fraction = AnomalyType.FEATURE_TYPE_LOW_FRACTION_PRESENT
    if fraction < presence.min_fraction:
        minimum, presence.min_fraction = presence.min_fraction, fraction
        text = (
            f"The feature was present in fewer examples than expected: minimum fraction = "
            f"{minimum:f}, actual = {presence.min_fraction:f}"
        )
        findings.append(Finding(low_fraction, _DROPPED, text))
    if presence.min_fraction == 1.0 and view.num_missing:
        # So few rows are missing that the fraction rounds to 1.
        presence.min_fraction = _ALMOST_ALL
        text = (
            f"The feature was expected everywhere, but was missing in {view.num_missing:.6g} "
            f"examples."
        )
        findings.append(Finding(low_fraction, _DROPPED, text))
    return findings


def check_uniqueness(feature: schema_pb2.Feature, view: CheckedFeature) -> list[Finding]:
    """Check the number of distinct values."""
    limits = feature.unique_constraints
    unique = view.num_unique
    if unique is None:
        feature.ClearField("unique_constraints")
        text = (
            "UniqueConstraints specified for the feature, but unique values were not counted "
            "(i.e., feature is not string or categorical)."
        )
        return [Finding(AnomalyType.FEATURE_TYPE_NO_UNIQUE, "No unique values", text)]
    findings = []
    if unique < limits.min:
        text = f"Expected at least {limits.min} unique values but found only {unique}."
        short = "Low number of unique values"
        findings.append(Finding(AnomalyType.FEATURE_TYPE_LOW_UNIQUE, short, text))
        limits.min = unique
    if unique > limits.max:
        text = f"Expected no more than {limits.max} unique values but found {unique}."
        short = "High number of unique values"
        findings.append(Finding(AnomalyType.FEATURE_TYPE_HIGH_UNIQUE, short, text))
        limits.max = unique
    return findings
