"""String and boolean domains: inferring and checking them."""

import math

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.anomalies.checked_statistics import CheckedFeature
from penstock.data_validation.anomalies.finding import AnomalyType, Finding, six_digits, to_int64

TRUE_VALUES = frozenset({"TRUE", "true", "SET", "set", "1", ""})
FALSE_VALUES = frozenset({"FALSE", "false", "CLEAR", "clear", "0"})

_Stats = statistics_pb2.FeatureNameStatistics
_NON_BOOLEAN = "Non-boolean values"
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "'": "\\'", "\\": "\\\\"}


def is_string_domain_candidate(view: CheckedFeature, max_size: int) -> bool:
    """Whether a feature has few enough distinct values to list them, and the statistics list them all."""
    few = not view.has_invalid_utf8 and 0 < view.num_listed <= max_size
    return few and view.lists_all_values


def add_missing_values(domain: schema_pb2.StringDomain, view: CheckedFeature) -> dict[str, float]:
    """Add the values that a domain lacks, in order, and return them with their counts."""
    known = set(domain.value)
    missing = {value: n for value, n in view.value_counts.items() if value not in known}
    domain.value.extend(missing)
    return missing


def check_string_domain(
    domain: schema_pb2.StringDomain, view: CheckedFeature, max_off_domain: float
) -> tuple[list[Finding], bool]:
    """Check that values are in a domain.

    Args:
        domain: The domain; unexpected values are added to it.
        view: The statistics.
        max_off_domain: The fraction of values that may lie outside.

    Returns:
        The findings, and whether the domain is to be dropped.
    """
    if view.has_invalid_utf8:
        text = "Found strings that were not valid UTF8 strings."
        finding = Finding(AnomalyType.ENUM_TYPE_INVALID_UTF8, "Invalid UTF8 strings", text)
        return [finding], True
    fixed = schema_pb2.StringDomain()
    fixed.CopyFrom(domain)
    missing = add_missing_values(fixed, view)
    total = view.num_values
    off_domain = sum(missing.values()) / total if total else math.inf
    if not missing or (off_domain <= max_off_domain and max_off_domain):
        return [], False
    domain.CopyFrom(fixed)
    listed = ", ".join(
        f"{_escaped(value)} ({_percentage(int(count), total)})" for value, count in missing.items()
    )
    text = f"Examples contain values missing from the schema: {listed}. "
    short = "Unexpected string values"
    return [Finding(AnomalyType.ENUM_TYPE_UNEXPECTED_STRING_VALUES, short, text)], False


def _percentage(count: float, total: float) -> str:
    if not total:
        return "?"
    percent = 100 * count / total
    return "<1%" if percent < 1 else f"~{math.floor(percent)}%"


def _escaped(value: str) -> str:
    out = []
    for character in value:
        if character in _ESCAPES:
            out.append(_ESCAPES[character])
        elif ord(character) < 0x20 or ord(character) == 0x7F:
            out.append(f"\\{ord(character):03o}")
        else:
            out.append(character)
    return "".join(out)


def is_bool_domain_candidate(view: CheckedFeature) -> bool:
    """Whether a feature's values are 0 and 1, or one word for true and one for false."""
    if view.stats_type == _Stats.INT:
        return bool(view.numbers.min >= 0.0 and view.numbers.max == 1.0)
    if view.stats_type != _Stats.STRING or view.num_listed > 2 or not view.lists_all_values:
        return False
    values = list(view.value_counts)
    true = sum(value in TRUE_VALUES for value in values)
    false = sum(value in FALSE_VALUES for value in values)
    return 0 < len(values) == true + false and true <= 1 and false <= 1


def infer_bool_domain(feature: schema_pb2.Feature, view: CheckedFeature) -> None:
    """Set a bool_domain with the words that the statistics show."""
    feature.bool_domain.SetInParent()
    for value in view.value_counts:
        if value in TRUE_VALUES:
            feature.bool_domain.true_value = value
        else:
            feature.bool_domain.false_value = value


def check_bool_domain(feature: schema_pb2.Feature, view: CheckedFeature) -> list[Finding]:
    """Check that values are boolean; the fix is a numeric domain, or none."""
    if view.stats_type == _Stats.INT:
        return _check_bool_integers(feature, view)
    if view.stats_type == _Stats.FLOAT:
        return _check_bool_floats(feature, view)
    if view.stats_type == _Stats.STRING:
        return _check_bool_strings(feature, view)
    return []


def _check_bool_integers(feature: schema_pb2.Feature, view: CheckedFeature) -> list[Finding]:
    low, high = view.number_bounds or (0.0, 0.0)
    if low < 0.0:
        kind, example = AnomalyType.BOOL_TYPE_SMALL_INT, low
    elif high > 1.0:
        kind, example = AnomalyType.BOOL_TYPE_BIG_INT, high
    else:
        return []
    feature.int_domain.max, feature.int_domain.min = to_int64(high), to_int64(low)
    text = f"Integers (such as {six_digits(example)}) not in {{0, 1}}: converting to an integer."
    return [Finding(kind, _NON_BOOLEAN, text)]


def _check_bool_floats(feature: schema_pb2.Feature, view: CheckedFeature) -> list[Finding]:
    bounds = view.number_bounds
    if bounds is None:
        return []
    reason = _why_floats_are_not_boolean(view, *bounds)
    if reason is None:
        return []
    feature.float_domain.min, feature.float_domain.max = bounds
    text = f"{reason}: converting to float_domain."
    return [Finding(AnomalyType.BOOL_TYPE_UNEXPECTED_FLOAT, _NON_BOOLEAN, text)]


def _why_floats_are_not_boolean(view: CheckedFeature, low: float, high: float) -> str | None:
    between = (value for value in view.listed_numbers if value not in (0.0, 1.0))
    for value in (low, high, *between):
        if value not in (0.0, 1.0):
            return f"Floats (such as {six_digits(value)}) not in {{0, 1}}"
    for histogram in view.numbers.histograms:
        if histogram.num_nan > 0:
            return "Floats (such as NaN) not in {0, 1}"
        for bucket in histogram.buckets:
            if bucket.sample_count <= 0:
                continue
            if bucket.high_value < 0:
                return "Float values < 0 not in {0, 1}"
            if bucket.low_value > 1:
                return "Float values > 1 not in {0, 1}"
            by_quantile = histogram.type == statistics_pb2.Histogram.QUANTILES
            if by_quantile and bucket.high_value < 1 and bucket.low_value > 0:
                return "Float values falling between 0 and 1"
    return None


def _check_bool_strings(feature: schema_pb2.Feature, view: CheckedFeature) -> list[Finding]:
    domain = feature.bool_domain
    valid = {
        getattr(domain, name) for name in ("true_value", "false_value") if domain.HasField(name)
    }
    unexpected = next((value for value in view.value_counts if value not in valid), None)
    if unexpected is None:
        return []
    listed = '{"' + '", "'.join(sorted(valid)) + '"}' if valid else "{}"
    feature.ClearField("bool_domain")
    text = f'Saw unexpected value "{unexpected}" instead of {listed}.'
    return [Finding(AnomalyType.BOOL_TYPE_UNEXPECTED_STRING, _NON_BOOLEAN, text)]
