"""Integer and float domains, of numbers and of strings that hold numbers."""

import math
import re

import numpy as np
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.anomalies.checked_statistics import CheckedFeature
from penstock.data_validation.anomalies.finding import AnomalyType, Finding, six_digits, to_int64

_Stats = statistics_pb2.FeatureNameStatistics
_Interval = tuple[float, float]
_OUT_OF_RANGE = "Out-of-range values"
_INVALID = "Invalid values"
_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)
# What strtof of C takes: decimals, hexadecimals with an exponent of two, infinities and NaN.
_FLOAT = re.compile(
    r"\s*[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?"
    r"|(?P<hex>0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?)"
    r"|inf(?:inity)?|(?P<nan>nan(?:\([0-9a-z_]*\))?))\s*",
    re.ASCII | re.IGNORECASE,
)


def _parse_int(text: str) -> int | None:
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


def _parse_float(text: str) -> float | None:
    match = _FLOAT.fullmatch(text)
    if match is None:
        return None
    if match["nan"]:
        return math.nan
    try:
        number = float.fromhex(text) if match["hex"] else float(text)
    except OverflowError:
        number = -math.inf if text.lstrip().startswith("-") else math.inf
    with np.errstate(over="ignore"):
        return float(np.float32(number))


def _interval_of(values: list[str], integers: bool) -> _Interval | str | None:
    """Return the extremes of the numbers in strings, or a string that is no number."""
    parsed: list[float] = []
    for value in values:
        number = _parse_int(value) if integers else _parse_float(value)
        if number is None:
            return value
        parsed.append(number)
    return (min(parsed), max(parsed)) if parsed else None


def _int_interval(view: CheckedFeature) -> _Interval | str | None:
    values = list(view.value_counts)
    if view.stats_type in (_Stats.STRUCT, _Stats.FLOAT):
        return None
    if view.stats_type == _Stats.INT and not values:
        low, high = view.numbers.min, view.numbers.max
        if low < -(2.0**63):
            return f"{low:f}"
        return f"{high:f}" if high > 2.0**63 else (to_int64(low), to_int64(high))
    return _interval_of(values, integers=True)


def is_int_domain_candidate(view: CheckedFeature) -> bool:
    """Whether a feature's values are strings that all hold integers."""
    if view.stats_type != _Stats.STRING or view.has_invalid_utf8 or not view.num_listed:
        return False
    return all(_parse_int(value) is not None for value in view.listed_values())


def check_int_domain(
    domain: schema_pb2.IntDomain, view: CheckedFeature
) -> tuple[list[Finding], bool]:
    """Check that values are integers within bounds.

    Returns:
        The findings, and whether the domain is to be dropped.
    """
    interval = _int_interval(view)
    if isinstance(interval, str):
        if view.schema_type == schema_pb2.BYTES:
            text = f'String values that were not ints were found, such as "{interval}".'
            return [Finding(AnomalyType.INT_TYPE_NOT_INT_STRING, _INVALID, text)], True
        if domain.HasField("min") or domain.HasField("max"):
            text = f'Integer had values that were not valid Int64, such as "{interval}".'
            return [Finding(AnomalyType.DOMAIN_INVALID_FOR_TYPE, _INVALID, text)], True
        return [], False
    findings = []
    if interval is not None:
        low, high = int(interval[0]), int(interval[1])
        if domain.HasField("min") and domain.min > low:
            text = f"Unexpectedly small value: {low}."
            findings.append(Finding(AnomalyType.INT_TYPE_SMALL_INT, _OUT_OF_RANGE, text))
            domain.min = low
        if domain.HasField("max") and domain.max < high:
            text = f"Unexpectedly large value: {high}."
            findings.append(Finding(AnomalyType.INT_TYPE_BIG_INT, _OUT_OF_RANGE, text))
            domain.max = high
    return findings, False


def _float_interval(view: CheckedFeature) -> _Interval | str | None:
    if view.stats_type == _Stats.FLOAT:
        bounds = view.number_bounds
        if bounds is None:
            return None
        with np.errstate(over="ignore"):
            low, high = np.float32(bounds[0]), np.float32(bounds[1])
        return float(low), float(high)
    if view.stats_type in (_Stats.STRING, _Stats.BYTES):
        return _interval_of(list(view.value_counts), integers=False)
    return None


def _has_nan(view: CheckedFeature) -> bool:
    if any(math.isnan(value) for value in view.listed_numbers):
        return True
    if view.stats_type == _Stats.FLOAT:
        return any(histogram.num_nan > 0 for histogram in view.numbers.histograms)
    if view.stats_type == _Stats.STRING:
        parsed = (_parse_float(value) for value in view.value_counts)
        return any(number is not None and math.isnan(number) for number in parsed)
    return False


def check_float_domain(
    domain: schema_pb2.FloatDomain, view: CheckedFeature
) -> tuple[list[Finding], bool]:
    """Check that values are numbers within bounds, and NaN and infinities if they are barred.

    Returns:
        The findings, and whether the domain is to be dropped.
    """
    findings = []
    if domain.disallow_nan and _has_nan(view):
        text = "Float feature has NaN values."
        findings.append(Finding(AnomalyType.FLOAT_TYPE_HAS_NAN, _INVALID, text))
        domain.disallow_nan = False
    interval = _float_interval(view)
    if isinstance(interval, str):
        text = f'String values that were not floats were found, such as "{interval}".'
        findings.append(Finding(AnomalyType.FLOAT_TYPE_STRING_NOT_FLOAT, _INVALID, text))
        return findings, True
    if interval is None:
        return findings, False
    low, high = interval
    if domain.HasField("min") and low < domain.min:
        bounds = f"{six_digits(low)}<{six_digits(domain.min)}"
        text = f"Unexpectedly low values: {bounds}(upto six significant digits)"
        findings.append(Finding(AnomalyType.FLOAT_TYPE_SMALL_FLOAT, _OUT_OF_RANGE, text))
        domain.min = low
    if domain.HasField("max") and high > domain.max:
        bounds = f"{six_digits(high)}>{six_digits(domain.max)}"
        text = f"Unexpectedly high value: {bounds}(upto six significant digits)"
        findings.append(Finding(AnomalyType.FLOAT_TYPE_BIG_FLOAT, _OUT_OF_RANGE, text))
        domain.max = high
    if domain.disallow_inf and (math.isinf(low) or math.isinf(high)):
        text = "Float feature has Inf values."
        findings.append(Finding(AnomalyType.FLOAT_TYPE_HAS_INF, _INVALID, text))
        domain.disallow_inf = False
    return findings, False
