"""Checking a few rows against a schema."""

import pyarrow as pa
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

from penstock.data_validation.anomalies.finding import AnomalyType
from penstock.data_validation.statistics.generate import computed_statistics
from penstock.data_validation.statistics_validator import MULTIPLE, find_anomalies
from penstock.data_validation.stats_options import StatsOptions

# Anomalies of a whole data set, which say nothing about one row.
_OF_DATA_SETS = frozenset(
    {
        AnomalyType.FEATURE_TYPE_LOW_FRACTION_PRESENT,
        AnomalyType.FEATURE_TYPE_LOW_NUMBER_PRESENT,
        AnomalyType.FEATURE_TYPE_NOT_PRESENT,
        AnomalyType.SCHEMA_TRAINING_SERVING_SKEW,
        AnomalyType.COMPARATOR_CONTROL_DATA_MISSING,
        AnomalyType.COMPARATOR_TREATMENT_DATA_MISSING,
        AnomalyType.COMPARATOR_L_INFTY_HIGH,
        AnomalyType.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
        AnomalyType.COMPARATOR_LOW_NUM_EXAMPLES,
        AnomalyType.COMPARATOR_HIGH_NUM_EXAMPLES,
        AnomalyType.NO_DATA_IN_SPAN,
        AnomalyType.DATASET_LOW_NUM_EXAMPLES,
        AnomalyType.DATASET_HIGH_NUM_EXAMPLES,
    }
)


def validate_instance(
    instance: pa.Table | pa.RecordBatch, options: StatsOptions, environment: str | None = None
) -> anomalies_pb2.Anomalies:
    """Check a few rows, often just one, against the schema of `options`.

    Args:
        instance: The rows; every column holds one list of values per row.
        options: Must have a schema.
        environment: Check for an environment of the schema's `default_environment`.

    Returns:
        The anomalies, without those types that describe a whole data set (a fraction present, drift).

    Raises:
        TypeError: If the rows are no table.
        ValueError: If `options` are not StatsOptions (as in TFDV), or have no schema.

    Example:
        >>> validate_instance(pa.table({"age": [[-1]]}), StatsOptions(schema=schema))
    """
    schema = schema_of(options)
    if not isinstance(instance, pa.Table | pa.RecordBatch):
        raise TypeError(
            f"instance must be a pyarrow Table or RecordBatch, such as pa.table({{'age': [[-1]]}}). "
            f"Received: {type(instance).__name__}"
        )
    batches = instance.to_batches() if isinstance(instance, pa.Table) else [instance]
    found = find_anomalies(computed_statistics(batches, options), schema, environment)
    for name in list(found.anomaly_info):
        info = found.anomaly_info[name]
        kept = [reason for reason in info.reason if reason.type not in _OF_DATA_SETS]
        if not kept:
            del found.anomaly_info[name]
            continue
        del info.reason[:]
        info.reason.extend(kept)
        info.description = " ".join(reason.description for reason in kept)
        info.short_description = kept[0].short_description if len(kept) == 1 else MULTIPLE
    return found


def schema_of(options: StatsOptions) -> schema_pb2.Schema:
    """Return the schema of options that must have one.

    Raises:
        ValueError: If they are not options or have no schema.
    """
    if not isinstance(options, StatsOptions):
        raise ValueError(
            f"options must be a StatsOptions object. Received: {type(options).__name__}"
        )
    if options.schema is None:
        raise ValueError("The specified stats_options must include a schema. Received: schema=None")
    return options.schema
