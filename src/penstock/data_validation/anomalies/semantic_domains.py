"""Image and natural-language domains, and domains that the statistics themselves suggest."""

from typing import TypeAlias

import numpy as np
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.anomalies.checked_statistics import CheckedFeature
from penstock.data_validation.anomalies.finding import AnomalyType, Finding, six_digits

_NL_STATS_MISSING = Finding(
    AnomalyType.STATS_NOT_AVAILABLE,
    "Natural language stats are not computed.",
    "Constraints specified in natural language domain cannot be verified because natural "
    "language stats have not been computed.",
)
_Token: TypeAlias = statistics_pb2.NaturalLanguageStatistics.TokenStatistics


def adopt_suggested_domain(feature: schema_pb2.Feature, view: CheckedFeature) -> bool:
    """Take the domain that a `domain_info` statistic names, such as `image_domain {}`.

    Returns:
        Whether the feature had no domain and has one now.
    """
    suggested = [s.str for s in view.proto.custom_stats if s.name == "domain_info" and s.str]
    if len(suggested) != 1 or feature.WhichOneof("domain_info"):
        return False
    try:
        parsed = text_format.Parse(suggested[0], schema_pb2.Feature())
    except text_format.ParseError:
        return False
    fields = [field for field, _ in parsed.ListFields()]
    oneof = fields[0].containing_oneof if len(fields) == 1 else None
    if oneof is None or oneof.name != "domain_info":
        return False
    feature.MergeFrom(parsed)
    return True


def check_image_domain(feature: schema_pb2.Feature, view: CheckedFeature) -> list[Finding]:
    """Check the fraction of images that can be decoded, and their size."""
    domain = feature.image_domain
    findings = []
    formats = view.custom_stat("image_format_histogram")
    if domain.HasField("minimum_supported_image_fraction") and formats is not None:
        buckets = formats.rank_histogram.buckets
        known = sum(bucket.sample_count for bucket in buckets if bucket.label != "UNKNOWN")
        total = sum(bucket.sample_count for bucket in buckets)
        minimum = domain.minimum_supported_image_fraction
        # In single precision, as the threshold is.
        fraction = float(np.float32(known) / np.float32(total)) if total else 1.0
        if fraction < minimum:
            domain.minimum_supported_image_fraction = fraction
            text = (
                f"Fraction of values containing TensorFlow supported images: "
                f"{domain.minimum_supported_image_fraction:f} is lower than the threshold set in "
                f"the Schema: {minimum:f}."
            )
            kind = AnomalyType.LOW_SUPPORTED_IMAGE_FRACTION
            findings.append(Finding(kind, "Low supported image fraction", text))
    largest = view.proto.bytes_stats.max_num_bytes_int
    if domain.HasField("max_image_byte_size") and largest > domain.max_image_byte_size:
        text = (
            f"The largest image has bytes: {largest}. The max allowed byte size is: "
            f"{domain.max_image_byte_size}."
        )
        kind = AnomalyType.MAX_IMAGE_BYTE_SIZE_EXCEEDED
        findings.append(Finding(kind, "Num bytes exceeds the max byte size.", text))
        domain.max_image_byte_size = largest
    return findings


def check_natural_language_domain(
    feature: schema_pb2.Feature, view: CheckedFeature
) -> list[Finding]:
    """Check vocabulary coverage and the occurrences of tokens."""
    domain = feature.natural_language_domain
    packed = view.custom_stat("nl_statistics")
    statistics = statistics_pb2.NaturalLanguageStatistics()
    found = packed is not None and packed.any.Unpack(statistics)
    coverage = domain.coverage
    constrained = (
        coverage.HasField("min_coverage")
        or coverage.HasField("min_avg_token_length")
        or domain.token_constraints
    )
    if constrained and not found:
        feature.ClearField("natural_language_domain")
        return [_NL_STATS_MISSING]
    findings = _check_coverage(coverage, statistics) if found else []
    by_token = {_token(entry): entry for entry in statistics.token_statistics}
    for constraint in domain.token_constraints:
        name = constraint.WhichOneof("value")
        if name is None:
            continue
        value = getattr(constraint, name)
        if value not in by_token:
            feature.ClearField("natural_language_domain")
            return [*findings, _NL_STATS_MISSING]
        findings += _check_token(str(value), constraint, by_token[value])
    return findings


def _token(entry: _Token) -> str | int:
    token: str | int = getattr(entry, entry.WhichOneof("token") or "string_token")
    return token


def _check_coverage(
    coverage: schema_pb2.FeatureCoverageConstraints,
    statistics: statistics_pb2.NaturalLanguageStatistics,
) -> list[Finding]:
    findings = []
    actual, length = statistics.feature_coverage, statistics.avg_token_length
    if coverage.HasField("min_coverage") and coverage.min_coverage > actual:
        text = (
            f"Fraction of tokens in the vocabulary: {six_digits(actual)} is lower than the "
            f"threshold set in the Schema: {six_digits(coverage.min_coverage)}."
        )
        kind = AnomalyType.FEATURE_COVERAGE_TOO_LOW
        findings.append(Finding(kind, "Feature coverage is too low.", text))
        coverage.min_coverage = actual
    if coverage.HasField("min_avg_token_length") and length < coverage.min_avg_token_length:
        text = (
            f"Average token length is: {six_digits(length)} which is lower than the threshold set "
            f"in the Schema: {six_digits(coverage.min_avg_token_length)}."
        )
        kind = AnomalyType.FEATURE_COVERAGE_TOO_SHORT_AVG_TOKEN_LENGTH
        findings.append(Finding(kind, "Average token length is too short.", text))
        coverage.min_avg_token_length = length
    return findings


def _check_token(
    token: str, constraint: schema_pb2.SequenceValueConstraints, entry: _Token
) -> list[Finding]:
    share = (
        f"Fraction of sequences with value: {token} is: {six_digits(entry.fraction_of_sequences)}"
    )
    rows = (
        (
            "min_fraction_of_sequences",
            entry.fraction_of_sequences,
            AnomalyType.SEQUENCE_VALUE_TOO_SMALL_FRACTION,
            "Value occurs in too small a fraction of sequences.",
            share,
        ),
        (
            "max_fraction_of_sequences",
            entry.fraction_of_sequences,
            AnomalyType.SEQUENCE_VALUE_TOO_LARGE_FRACTION,
            "Value occurs in too large a fraction of sequences.",
            share,
        ),
        (
            "min_per_sequence",
            entry.per_sequence_min_frequency,
            AnomalyType.SEQUENCE_VALUE_TOO_FEW_OCCURRENCES,
            "Value has too few per-sequence occurrences.",
            f"Value: {token} occurs at least: {six_digits(entry.per_sequence_min_frequency)} "
            f"times within a sequence,",
        ),
        (
            "max_per_sequence",
            entry.per_sequence_max_frequency,
            AnomalyType.SEQUENCE_VALUE_TOO_MANY_OCCURRENCES,
            "Value has too many per-sequence occurrences.",
            f"Value: {token} occurs at most: {six_digits(entry.per_sequence_max_frequency)} "
            f"times within a sequence,",
        ),
    )
    findings = []
    for field, actual, kind, short, start in rows:
        limit = getattr(constraint, field)
        too_low = field.startswith("min") and limit > actual
        too_high = field.startswith("max") and limit < actual
        if constraint.HasField(field) and (too_low or too_high):
            side = "lower" if too_low else "higher"
            text = (
                f"{start} which is {side} than the threshold set in the Schema: "
                f"{six_digits(limit)}."
            )
            findings.append(Finding(kind, short, text))
            setattr(constraint, field, type(limit)(actual))
    return findings
