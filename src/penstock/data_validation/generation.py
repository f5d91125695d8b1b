"""Statistics straight from files and DataFrames, under TFDV's names."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.statistics.generate import statistics_of_record_batches
from penstock.data_validation.stats_options import StatsOptions
from penstock.data_validation.storage import write_stats_binary
from penstock.io.csv_reader import ColumnType, CsvFiles
from penstock.io.examples_reader import DEFAULT_BATCH_SIZE, as_list_columns, read_record_batches
from penstock.io.files import list_matching

if TYPE_CHECKING:
    import pandas as pd

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList

_CSV_TYPES = {
    schema_pb2.INT: ColumnType.INT,
    schema_pb2.FLOAT: ColumnType.FLOAT,
    schema_pb2.BYTES: ColumnType.STRING,
}


def _matching(data_location: str) -> list[str]:
    files = list_matching(data_location)
    if not files:
        raise FileNotFoundError(f"No files match {data_location}")
    return files


def _compute(
    batches: Iterator[pa.RecordBatch], options: StatsOptions | None, output_path: str | None
) -> Statistics:
    statistics = statistics_of_record_batches(batches, options)
    if output_path is not None:
        write_stats_binary(statistics, output_path)
    return statistics


def _batch_size(options: StatsOptions | None) -> int:
    return (options.desired_batch_size if options else None) or DEFAULT_BATCH_SIZE


def generate_statistics_from_tfrecord(
    data_location: str,
    output_path: str | None = None,
    stats_options: StatsOptions | None = None,
) -> Statistics:
    """Computes statistics of TFRecord files of tf.Examples, gzipped or not.

    Args:
        data_location: A path or glob pattern, local or an fsspec URL.
        output_path: Where to write the statistics, too.
        stats_options: What to compute.

    Example:
        >>> stats = generate_statistics_from_tfrecord("examples/Split-train/*")
    """
    return _compute(tfrecord_batches(data_location, stats_options), stats_options, output_path)


def tfrecord_batches(
    data_location: str, stats_options: StatsOptions | None
) -> Iterator[pa.RecordBatch]:
    """Reads TFRecord files of tf.Examples; each file tells by its first bytes if it is gzipped."""
    typed = stats_options is not None and stats_options.infer_type_from_schema
    for path in _matching(data_location):
        yield from read_record_batches(
            [path],
            file_format="tfrecords_gzip" if _is_gzip(path) else "tfrecords",
            schema=stats_options.schema if stats_options is not None and typed else None,
            batch_size=_batch_size(stats_options),
        )


def _is_gzip(path: str) -> bool:
    from penstock.io.files import open_binary

    with open_binary(path) as file:
        return file.read(2) == b"\x1f\x8b"


def generate_statistics_from_parquet(
    data_location: str,
    output_path: str | None = None,
    stats_options: StatsOptions | None = None,
) -> Statistics:
    """Computes statistics of Parquet files; only the columns of interest are read.

    Args:
        data_location: A path or glob pattern, local or an fsspec URL.
        output_path: Where to write the statistics, too.
        stats_options: What to compute.
    """
    columns = _needed_columns(stats_options)
    batches = read_record_batches(
        _matching(data_location),
        file_format="parquet",
        batch_size=_batch_size(stats_options),
        columns=columns,
    )
    return _compute(batches, stats_options, output_path)


def _needed_columns(options: StatsOptions | None) -> list[str] | None:
    if options is None or options.feature_allowlist is None:
        return None
    # What these look at is not known beforehand.
    if options.experimental_slice_functions or options.slicing_config or options.generators:
        return None
    if options.label_feature is not None:
        return None
    weights = {options.weight_feature, *options.per_feature_weight_override.values()} - {None}
    return [*options.feature_allowlist, *sorted(str(name) for name in weights)]


def generate_statistics_from_csv(
    data_location: str,
    column_names: Sequence[str] | None = None,
    delimiter: str = ",",
    output_path: str | None = None,
    stats_options: StatsOptions | None = None,
    *,
    na_values: Sequence[str] = (),
) -> Statistics:
    """Computes statistics of CSV files.

    Args:
        data_location: A path or glob pattern, local or an fsspec URL.
        column_names: The names of the columns, for files without a header line.
        delimiter: What separates cells.
        output_path: Where to write the statistics, too.
        stats_options: What to compute; `infer_type_from_schema` takes the types from its schema.
        na_values: Cells that mean "missing" besides the empty one.

    Example:
        >>> stats = generate_statistics_from_csv("taxi.csv")
    """
    batches = csv_batches(data_location, stats_options, column_names, delimiter, na_values)
    return _compute(batches, stats_options, output_path)


def csv_batches(
    data_location: str,
    stats_options: StatsOptions | None,
    column_names: Sequence[str] | None = None,
    delimiter: str = ",",
    na_values: Sequence[str] = (),
) -> Iterator[pa.RecordBatch]:
    """Reads CSV files; see `generate_statistics_from_csv`."""
    source = CsvFiles(
        _matching(data_location), delimiter, na_values=na_values, column_names=column_names
    )
    types = None
    if stats_options and stats_options.infer_type_from_schema and stats_options.schema is not None:
        types = {f.name: _CSV_TYPES[f.type] for f in stats_options.schema.feature}
    yield from source.read(types)


def generate_statistics_from_dataframe(
    dataframe: "pd.DataFrame", stats_options: StatsOptions | None = None, n_jobs: int = 1
) -> Statistics:
    """Computes statistics of a pandas DataFrame; None and NaN are missing.

    Args:
        dataframe: Columns of numbers, strings or bytes.
        stats_options: What to compute.
        n_jobs: Only 1: a DataFrame in memory is worked through in one process.
    """
    if n_jobs != 1:
        raise ValueError(f"n_jobs must be 1. Received: n_jobs={n_jobs!r}")
    table = pa.Table.from_pandas(dataframe, preserve_index=False)
    batches = (as_list_columns(batch) for batch in table.to_batches(_batch_size(stats_options)))
    return _compute(batches, stats_options, None)
