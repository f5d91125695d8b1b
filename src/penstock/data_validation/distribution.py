"""Comparing the distributions of two data sets by their statistics, without a schema."""

from collections.abc import Mapping

from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from penstock.data_validation.anomalies.finding import AnomalyType
from penstock.data_validation.path_steps import PathSteps, path_to_text
from penstock.data_validation.schema_inference import Statistics, infer_schema
from penstock.data_validation.schema_lookup import get_feature
from penstock.data_validation.statistics_validator import validate_statistics

_OF_COMPARISONS = frozenset(
    {
        AnomalyType.COMPARATOR_CONTROL_DATA_MISSING,
        AnomalyType.COMPARATOR_L_INFTY_HIGH,
        AnomalyType.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
        AnomalyType.COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH,
        AnomalyType.COMPARATOR_LOW_NUM_EXAMPLES,
        AnomalyType.COMPARATOR_HIGH_NUM_EXAMPLES,
    }
)
_NOT_COMPARED = anomalies_pb2.AnomalyInfo.Reason(
    type=AnomalyType.STATS_NOT_AVAILABLE,
    short_description="Comparison could not be done.",
    description=(
        "Validation could not be done, which could be due to missing data, use of a comparator that "
        "is not suitable for the feature type, or some other reason."
    ),
)


def validate_distributions(
    statistics: Statistics,
    baseline_statistics: Statistics,
    comparators: Mapping[PathSteps, schema_pb2.FeatureComparator],
    num_examples_comparator: schema_pb2.NumericValueComparator | None = None,
) -> anomalies_pb2.Anomalies:
    """Compare features' distributions and the number of rows with those of a baseline.

    Args:
        statistics: Statistics of the data.
        baseline_statistics: Statistics to compare with.
        comparators: Thresholds by the path of a feature.
        num_examples_comparator: Thresholds of the ratio of the numbers of rows.

    Returns:
        Only the findings of the comparison; a feature that could not be compared is an anomaly
        (STATS_NOT_AVAILABLE), so that a misspelled name does not pass silently.

    Example:
        >>> limit = schema_pb2.FeatureComparator(infinity_norm={"threshold": 0.01})
        >>> validate_distributions(today, yesterday, {("company",): limit})
    """
    schema = infer_schema(baseline_statistics)
    for path, comparator in comparators.items():
        try:
            get_feature(schema, path).drift_comparator.CopyFrom(comparator)
        except (KeyError, ValueError):
            continue  # reported below, with what else could not be compared
    if num_examples_comparator is not None:
        schema.dataset_constraints.num_examples_drift_comparator.CopyFrom(num_examples_comparator)
    found = validate_statistics(statistics, schema, previous_statistics=baseline_statistics)
    found.anomaly_name_format = anomalies_pb2.Anomalies.SERIALIZED_PATH
    found.ClearField("data_missing")
    for name in list(found.anomaly_info):
        _keep_comparisons(found.anomaly_info[name])
        if not found.anomaly_info[name].reason:
            del found.anomaly_info[name]
    if found.HasField("dataset_anomaly_info"):
        _keep_comparisons(found.dataset_anomaly_info)
        if not found.dataset_anomaly_info.reason:
            found.ClearField("dataset_anomaly_info")
    compared = {tuple(info.path.step) for info in found.drift_skew_info}
    for path in comparators:
        if path not in compared:
            info = found.anomaly_info[path_to_text(path)]
            info.path.step[:] = path
            info.severity = AnomalyType.ERROR
            info.reason.append(_NOT_COMPARED)
    return found


def _keep_comparisons(info: anomalies_pb2.AnomalyInfo) -> None:
    """Drop what the inferred schema alone found; whole descriptions mention that, too."""
    kept = [reason for reason in info.reason if reason.type in _OF_COMPARISONS]
    for field in ("description", "short_description", "diff_regions"):
        info.ClearField(field)
    del info.reason[:]
    info.reason.extend(kept)
