"""Sparse and weighted features: checks of the statistics about their parts."""

from tensorflow_metadata.proto.v0 import schema_pb2

from penstock.data_validation.anomalies.checked_statistics import CheckedFeature
from penstock.data_validation.anomalies.finding import AnomalyType, Finding
from penstock.data_validation.anomalies.self_consistency import deprecate

_MISSING_PARTS = {
    "missing_value": (AnomalyType.WEIGHTED_FEATURE_MISSING_VALUE, "value"),
    "missing_weight": (AnomalyType.WEIGHTED_FEATURE_MISSING_WEIGHT, "weight"),
}


def check_sparse_feature(feature: schema_pb2.SparseFeature, view: CheckedFeature) -> list[Finding]:
    """Check that value and index features occur together and have equal lengths."""
    findings = []
    for stat in view.proto.custom_stats:
        if stat.name == "missing_value" and stat.num:
            text = f"Found {stat.num:.6g} examples missing value feature"
            kind = AnomalyType.SPARSE_FEATURE_MISSING_VALUE
            findings.append(Finding(kind, "Missing value feature", text))
        elif stat.name == "missing_index":
            for bucket in stat.rank_histogram.buckets:
                if int(bucket.sample_count):
                    text = (
                        f"Found {int(bucket.sample_count)} examples missing index feature: "
                        f"{bucket.label}"
                    )
                    kind = AnomalyType.SPARSE_FEATURE_MISSING_INDEX
                    findings.append(Finding(kind, "Missing index feature", text))
        elif stat.name in ("max_length_diff", "min_length_diff"):
            for bucket in stat.rank_histogram.buckets:
                if bucket.sample_count:
                    text = (
                        f"Mismatch between index feature: {bucket.label} and value column, with "
                        f"{stat.name} = {int(bucket.sample_count)}"
                    )
                    kind = AnomalyType.SPARSE_FEATURE_LENGTH_MISMATCH
                    short = "Length mismatch between value and index feature"
                    findings.append(Finding(kind, short, text))
    if findings:
        deprecate(feature)
    return findings


def check_weighted_feature(
    feature: schema_pb2.WeightedFeature, view: CheckedFeature
) -> list[Finding]:
    """Check that value and weight features occur together and have equal lengths."""
    numbers = {stat.name: stat.num for stat in view.proto.custom_stats}
    findings = []
    for stat in view.proto.custom_stats:
        if stat.name in _MISSING_PARTS and stat.num:
            kind, part = _MISSING_PARTS[stat.name]
            text = f"Found {stat.num:.6g} examples missing {part} feature."
            findings.append(Finding(kind, f"Missing {part} feature", text))
    low = int(numbers.get("min_weight_length_diff", 0))
    high = int(numbers.get("max_weight_length_diff", 0))
    if low or high:
        text = (
            f"Mismatch between weight and value feature with min_weight_length_diff = {low} and "
            f"max_weight_length_diff = {high}."
        )
        kind = AnomalyType.WEIGHTED_FEATURE_LENGTH_MISMATCH
        short = "Length mismatch between value and weight feature"
        findings.append(Finding(kind, short, text))
    if findings:
        deprecate(feature)
    return findings
