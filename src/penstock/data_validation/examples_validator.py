"""Checking single rows against a schema: which rows are anomalous, and why."""

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.anomalous_rows import row_finder
from penstock.data_validation.generation import csv_batches, tfrecord_batches
from penstock.data_validation.instance_validator import schema_of
from penstock.data_validation.schema_inference import Statistics
from penstock.data_validation.statistics.dataset import DatasetStatistics
from penstock.data_validation.stats_options import StatsOptions
from penstock.data_validation.storage import write_stats_binary
from penstock.io.examples.messages import example_class

if TYPE_CHECKING:
    import pandas as pd


@dataclasses.dataclass(frozen=True)
class AnomalousExamples:
    """The rows of a data set that have anomalies.

    Args:
        statistics: A data set for each reason, named `<feature>_<anomaly type>`.
        samples: Rows for each reason, up to the requested number.
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
    """Find the rows that have anomalies, and the anomalies of each.

    A batch is first checked as a whole, then halved if something is wrong; but row by row if the
    schema limits fractions, which one row can violate while its batch does not.

    Args:
        batches: Every column holds one list of values per row.
        options: Must have a schema.
        num_sampled_examples: How many rows for each reason to return.
        null_is_absent: Whether a column that is null in a row does not belong to the row at all, as in
            tf.Examples; then a required one is missing (SCHEMA_MISSING_COLUMN). An empty list is the
            same where the schema requires one value in every row.

    Example:
        >>> found = identify_anomalous_examples(batches, StatsOptions(schema=schema))
        >>> [dataset.name for dataset in found.statistics.datasets]
        ['age_INT_TYPE_SMALL_INT']
    """
    find = row_finder(options, null_is_absent)
    kernels: dict[str, DatasetStatistics] = {}
    samples: dict[str, list[pa.RecordBatch]] = {}
    for batch in batches:
        found: dict[str, list[pa.RecordBatch]] = {}
        for row, reasons in find(batch):
            for reason in reasons:
                found.setdefault(reason, []).append(row)
        for reason, rows in found.items():
            kernel = kernels.setdefault(reason, DatasetStatistics(options, reason))
            for joined in _joined(rows):
                kernel.add(joined)
            kept = samples.setdefault(reason, [])
            kept += rows[: max(0, num_sampled_examples - len(kept))]
    statistics = statistics_pb2.DatasetFeatureStatisticsList(
        datasets=[kernel.result() for _, kernel in sorted(kernels.items())]
    )
    return AnomalousExamples(statistics, dict(sorted(samples.items())))


def validate_examples_in_tfrecord(
    data_location: str,
    stats_options: StatsOptions,
    output_path: str | None = None,
    pipeline_options: None = None,
    num_sampled_examples: int = 0,
) -> Statistics | tuple[Statistics, dict[str, list[Any]]]:
    """Find the tf.Examples of TFRecord files, gzipped or not, that have anomalies.

    Args:
        data_location: A path or glob pattern, local or an fsspec URL.
        stats_options: Must have a schema.
        output_path: A file to which the statistics of the anomalous rows are also written.
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
    schema_of(stats_options)
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
    """Find the rows of CSV files that have anomalies; their types are the schema's.

    Args:
        data_location: A path or glob pattern, local or an fsspec URL.
        stats_options: Must have a schema.
        column_names: The names of the columns, for files without a header line.
        delimiter: What separates cells.
        output_path: A file to which the statistics of the anomalous rows are also written.
        pipeline_options: None: the rows are read in this process.
        num_sampled_examples: How many rows of each reason to return.

    Returns:
        Statistics with a data set for each reason, named `<feature>_<anomaly type>`; with
        `num_sampled_examples` also a DataFrame of rows by reason.

    Raises:
        ValueError: If `stats_options` have no schema, or `pipeline_options` are given.
    """
    _refuse_pipeline(pipeline_options)
    schema_of(stats_options)
    batches = csv_batches(data_location, stats_options, column_names, delimiter)
    found = identify_anomalous_examples(
        batches, stats_options, num_sampled_examples, null_is_absent=False
    )
    _store(found, output_path)
    if not num_sampled_examples:
        return found.statistics
    return found.statistics, {reason: _frame(rows) for reason, rows in found.samples.items()}


def _joined(rows: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """Return rows, of which some lack columns, as few batches."""
    tables = [pa.Table.from_batches([row]) for row in rows]
    joined = pa.concat_tables(tables, promote_options="default").combine_chunks()
    return list(joined.to_batches())


def _refuse_pipeline(pipeline_options: None) -> None:
    if pipeline_options is not None:
        raise ValueError(
            "Rows are checked in this process: leave out pipeline_options. On Beam, map "
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
    """Put rows whose columns are lists of at most one value into a table of values."""
    import pandas as pd

    return pd.DataFrame(
        [
            {name: values[0] if values else None for name, values in row.items()}
            for batch in rows
            for row in batch.to_pylist()
        ]
    )
