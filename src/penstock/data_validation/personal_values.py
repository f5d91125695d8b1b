"""Leaving the values of personal features out of statistics and anomalies, which people read and share."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

_NUMBERS = "mean", "std_dev", "min", "median", "max"


def hide_personal_statistics(
    statistics: statistics_pb2.DatasetFeatureStatisticsList, features: Collection[str]
) -> None:
    """Take the values of personal features out of statistics; counts, lengths and presence stay.

    Args:
        statistics: Changed in place: of these features no frequent values, no histograms, and no least,
            greatest and mean value stay.
        features: Names of the personal features.
    """
    for dataset in statistics.datasets:
        for feature in dataset.features:
            if (feature.name or ".".join(feature.path.step)) not in features:
                continue
            if feature.HasField("string_stats"):
                for field in ("top_values", "rank_histogram"):
                    feature.string_stats.ClearField(field)
            if feature.HasField("num_stats"):
                for field in (*_NUMBERS, "histograms", "weighted_numeric_stats"):
                    feature.num_stats.ClearField(field)
            feature.ClearField("custom_stats")


def without_personal_domains(
    schema: schema_pb2.Schema, features: Collection[str]
) -> schema_pb2.Schema:
    """Return a copy that expects no values of personal features, whose statistics have none to check.

    Args:
        schema: The schema.
        features: Names of the personal features.
    """
    copy = type(schema)()
    copy.CopyFrom(schema)
    for feature in copy.feature:
        if feature.name in features:
            domain = feature.WhichOneof("domain_info")
            if domain is not None:
                feature.ClearField(domain)
    return copy


def hide_personal_anomalies(anomalies: anomalies_pb2.Anomalies, features: Collection[str]) -> None:
    """Take the values of personal features out of anomalies; which kind of anomaly it is stays.

    Args:
        anomalies: Changed in place: descriptions are replaced by the short ones, which quote no values.
        features: Names of the personal features.
    """
    for name, info in anomalies.anomaly_info.items():
        if name not in features and ".".join(info.path.step) not in features:
            continue
        info.ClearField("diff_regions")
        info.description = info.short_description
        for reason in info.reason:
            reason.ClearField("diff_regions")
            reason.description = reason.short_description
