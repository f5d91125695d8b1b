"""Checking single rows against a schema: which rows are anomalous, and why."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from penstock.data_validation.anomalies.feature_check import is_required
from penstock.data_validation.anomalies.finding import AnomalyType
from penstock.data_validation.generation import csv_batches, tfrecord_batches
from penstock.data_validation.schema_features import all_features
from penstock.data_validation.schema_inference import Statistics
from penstock.data_validation.statistics.dataset import DatasetStatistics
from penstock.data_validation.statistics.generate import statistics_of_record_batches
from penstock.data_validation.stats_options import StatsOptions
from penstock.data_validation.storage import write_stats_binary
from penstock.data_validation.validation import MULTIPLE, validate_statistics
from penstock.io.example_messages import example_class

if TYPE_CHECKING:
    import pandas as pd

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
    """Checks a few rows, often one, against the schema of `options`.

    Args:
        instance: The rows; every column is a list of values a row.
        options: Must have a schema.
        environment: Check for an environment of the schema's `default_environment`.

    Returns:
        The anomalies, without those types that describe a whole data set (a fraction present, drift).

    Raises:
        ValueError: If `options` are no StatsOptions (as in TFDV), or have no schema.

    Example:
        >>> validate_instance(pa.table({"age": [[-1]]}), StatsOptions(schema=schema))
    """
    schema = _schema_of(options)
    batches = instance.to_batches() if isinstance(instance, pa.Table) else [instance]
    found = validate_statistics(statistics_of_record_batches(batches, options), schema, environment)
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


def _schema_of(options: StatsOptions) -> schema_pb2.Schema:
    if not isinstance(options, StatsOptions):
        raise ValueError(
            f"options must be a StatsOptions object. Received: {type(options).__name__}"
        )
    if options.schema is None:
        raise ValueError("The specified stats_options must include a schema. Received: schema=None")
    return options.schema


@dataclasses.dataclass(frozen=True)
class AnomalousExamples:
    """The rows of a data set that have anomalies.

    Args:
        statistics: A data set for each reason, named `<feature>_<anomaly type>`.
        samples: Rows of each reason, at most as many as were asked for.
    """

    statistics: statistics_pb2.DatasetFeatureStatisticsList
    samples: dict[str, list[pa.RecordBatch]]


def identify_anomalous_examples(
    batches: Iterable[pa.RecordBatch],
    options: StatsOptions,
    num_sampled_examples: int = 0,
    *,
    null_is_absent: bool = True,
) -> AnomalousExamples:
    """Finds the rows that have anomalies and says which.

    A batch is checked as a whole first and halved where something is wrong, unless the schema limits
    fractions, which one row can break while its batch does not.

    Args:
        batches: Every column is a list of values a row.
        options: Must have a schema.
        num_sampled_examples: How many rows of each reason to return.
        null_is_absent: Whether a column that is null in a row does not belong to the row at all, as in
            tf.Examples; then a required one is missing (SCHEMA_MISSING_COLUMN).

    Example:
        >>> found = identify_anomalous_examples(batches, StatsOptions(schema=schema))
        >>> [dataset.name for dataset in found.statistics.datasets]
        ['age_INT_TYPE_SMALL_INT']
    """
    find = _finder(options, null_is_absent)
    kernels: dict[str, DatasetStatistics] = {}
    samples: dict[str, list[pa.RecordBatch]] = {}
    for batch in batches:
        for row, reasons in find(batch):
            for reason in reasons:
                kernels.setdefault(reason, DatasetStatistics(options, reason)).add(row)
                rows = samples.setdefault(reason, [])
                if len(rows) < num_sampled_examples:
                    rows.append(row)
    statistics = statistics_pb2.DatasetFeatureStatisticsList(
        datasets=[kernel.result() for _, kernel in sorted(kernels.items())]
    )
    return AnomalousExamples(statistics, dict(sorted(samples.items())))


_Anomalous = tuple[pa.RecordBatch, list[str]]


def _finder(
    options: StatsOptions, null_is_absent: bool
) -> Callable[[pa.RecordBatch], Iterator[_Anomalous]]:
    schema = _schema_of(options)
    required = {
        path[0]
        for path, feature in all_features(schema)
        if len(path) == 1 and is_required(feature, schema, None)
    }
    fractions = any(map(_limits_fractions, (feature for _, feature in all_features(schema))))

    def options_for(rows: int) -> StatsOptions:
        changed = {
            "num_rank_histogram_buckets": max(options.num_rank_histogram_buckets, rows),
            # A schema does not look into histograms, which cost most of the time.
            "num_histogram_buckets": 1,
            "num_quantiles_histogram_buckets": 1,
            "num_values_histogram_buckets": 2,
            "sample_rate": None,
        }
        return StatsOptions(**{**vars(options), **changed})

    def find(batch: pa.RecordBatch) -> Iterator[_Anomalous]:
        if not batch.num_rows:
            return
        if batch.num_rows == 1:
            row = _without_nulls(batch) if null_is_absent else batch
            reasons = _reasons(validate_instance(row, options_for(1)))
            if reasons:
                yield row, reasons
            return
        lacks = any(
            null_is_absent and (name not in columns or columns[name].null_count)
            for columns in [dict(zip(batch.schema.names, batch.columns, strict=True))]
            for name in required
        )
        if not fractions and not lacks:
            found = validate_instance(batch, options_for(batch.num_rows))
            if not found.anomaly_info:
                return
        middle = batch.num_rows // 2
        yield from find(batch.slice(0, middle))
        yield from find(batch.slice(middle))

    return find


def _limits_fractions(feature: schema_pb2.Feature) -> bool:
    return (
        feature.HasField("distribution_constraints")
        or feature.HasField("unique_constraints")
        or feature.WhichOneof("domain_info") in ("image_domain", "natural_language_domain")
    )


def _without_nulls(row: pa.RecordBatch) -> pa.RecordBatch:
    present = [
        name
        for name, column in zip(row.schema.names, row.columns, strict=True)
        if not column.null_count
    ]
    return row if len(present) == row.num_columns else row.select(present)


def _reasons(found: anomalies_pb2.Anomalies) -> list[str]:
    return [
        f"{name}_{AnomalyType.Type.Name(reason.type)}"
        for name, info in sorted(found.anomaly_info.items())
        for reason in info.reason
    ]


def validate_examples_in_tfrecord(
    data_location: str,
    stats_options: StatsOptions,
    output_path: str | None = None,
    pipeline_options: None = None,
    num_sampled_examples: int = 0,
) -> Statistics | tuple[Statistics, dict[str, list[Any]]]:
    """Finds the tf.Examples of TFRecord files, gzipped or not, that have anomalies.

    Args:
        data_location: A path or glob pattern, local or an fsspec URL.
        stats_options: Must have a schema.
        output_path: Where to write the statistics of the anomalous rows, too.
        pipeline_options: None: the rows are read in this process.
        num_sampled_examples: How many examples of each reason to return.

    Returns:
        Statistics with a data set for each reason, named `<feature>_<anomaly type>`; with
        `num_sampled_examples` also tf.Examples by reason.

    Raises:
        ValueError: If `stats_options` have no schema, or `pipeline_options` are given.

    Example:
        >>> options = StatsOptions(schema=schema)
        >>> stats, samples = validate_examples_in_tfrecord(
        ...     "Split-eval/*", options, num_sampled_examples=3)
        >>> samples["age_INT_TYPE_SMALL_INT"][0].features.feature["age"].int64_list.value
        [-1]
    """
    _refuse_pipeline(pipeline_options)
    _schema_of(stats_options)
    batches = tfrecord_batches(data_location, stats_options)
    found = identify_anomalous_examples(batches, stats_options, num_sampled_examples)
    _store(found, output_path)
    if not num_sampled_examples:
        return found.statistics
    return found.statistics, {
        reason: [example for row in rows for example in _examples(row)]
        for reason, rows in found.samples.items()
    }


def validate_examples_in_csv(
    data_location: str,
    stats_options: StatsOptions,
    column_names: list[str] | None = None,
    delimiter: str = ",",
    output_path: str | None = None,
    pipeline_options: None = None,
    num_sampled_examples: int = 0,
) -> "Statistics | tuple[Statistics, dict[str, pd.DataFrame]]":
    """Finds the rows of CSV files that have anomalies; their types are the schema's.

    Args:
        data_location: A path or glob pattern, local or an fsspec URL.
        stats_options: Must have a schema.
        column_names: The names of the columns, for files without a header line.
        delimiter: What separates cells.
        output_path: Where to write the statistics of the anomalous rows, too.
        pipeline_options: None: the rows are read in this process.
        num_sampled_examples: How many rows of each reason to return.

    Returns:
        Statistics with a data set for each reason, named `<feature>_<anomaly type>`; with
        `num_sampled_examples` also a DataFrame of rows by reason.

    Raises:
        ValueError: If `stats_options` have no schema, or `pipeline_options` are given.
    """
    _refuse_pipeline(pipeline_options)
    _schema_of(stats_options)
    batches = csv_batches(data_location, stats_options, column_names, delimiter)
    found = identify_anomalous_examples(
        batches, stats_options, num_sampled_examples, null_is_absent=False
    )
    _store(found, output_path)
    if not num_sampled_examples:
        return found.statistics
    return found.statistics, {reason: _frame(rows) for reason, rows in found.samples.items()}


def _refuse_pipeline(pipeline_options: None) -> None:
    if pipeline_options is not None:
        raise ValueError(
            "Rows are checked in this process: leave pipeline_options out. On Beam, map "
            "validate_instance over RecordBatches of one row. Received: "
            f"pipeline_options={pipeline_options!r}"
        )


def _store(found: AnomalousExamples, output_path: str | None) -> None:
    if output_path is not None:
        write_stats_binary(found.statistics, output_path)


def _examples(row: pa.RecordBatch) -> list[Any]:
    from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

    return [example_class().FromString(e) for e in RecordBatchToExamplesEncoder().encode(row)]


def _frame(rows: list[pa.RecordBatch]) -> "pd.DataFrame":
    """Puts rows whose columns are lists of at most one value into a table of values."""
    import pandas as pd

    return pd.DataFrame(
        [
            {name: values[0] if values else None for name, values in row.items()}
            for batch in rows
            for row in batch.to_pylist()
        ]
    )
