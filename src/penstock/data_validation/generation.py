"""Statistics straight from files and DataFrames, under TFDV's names."""

import contextlib
import functools
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.dataframes import table_of
from penstock.data_validation.statistics.generate import statistics_of_record_batches
from penstock.data_validation.statistics.shard_parts import ExamplesReader, csv_parts
from penstock.data_validation.statistics.shards import statistics_of_parts, worthwhile_processes
from penstock.data_validation.stats_options import StatsOptions
from penstock.data_validation.storage import write_stats_binary
from penstock.io.arrow.list_columns import empty_batch, has_list_form, list_columns
from penstock.io.csv.reader import ColumnType, CsvFiles
from penstock.io.examples.reader import DEFAULT_BATCH_SIZE
from penstock.io.examples.rows import WrongGuessError
from penstock.io.files.filesystem import FilePath, list_matching

if TYPE_CHECKING:
    import pandas as pd

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList

_LOG = logging.getLogger(__name__)
_CSV_TYPES = {
    schema_pb2.INT: ColumnType.INT,
    schema_pb2.FLOAT: ColumnType.FLOAT,
    schema_pb2.BYTES: ColumnType.STRING,
}
_LOCAL_RUNNERS = ("DirectRunner", "FnApiRunner", "BundleBasedDirectRunner", "PrismRunner")
# Beam's names (`CompressionTypes`) by the ends of file names.
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bzip2"}
_PLAIN = "uncompressed"


def _matching(data_location: FilePath) -> list[str]:
    files = list_matching(data_location)
    if not files:
        raise FileNotFoundError(f"No files match {data_location}")
    return files


def _refuse_other_runner(pipeline_options: Any) -> None:
    """Raise if Beam's options want the work to be done elsewhere."""
    if pipeline_options is None:
        return
    runner = pipeline_options.get_all_options().get("runner")
    if runner is not None and runner.rpartition(".")[2] not in _LOCAL_RUNNERS:
        raise ValueError(
            f"The statistics of files are computed on this machine. For a pipeline on {runner} use "
            f"penstock.beam.GenerateStatistics, or StatisticsGen with beam_pipeline_args. "
            f"Received: pipeline_options with runner={runner!r}"
        )


def _check_compression(files: Sequence[str], compression_type: str | None) -> None:
    if compression_type in (None, "auto"):
        return
    for path in files:
        named = next((kind for end, kind in _COMPRESSIONS.items() if path.endswith(end)), _PLAIN)
        if named != compression_type:
            raise ValueError(
                f"{path}: the name of a CSV file tells its compression, and this one means "
                f"{named!r}. Name gzipped files .gz and bzip2 files .bz2. "
                f"Received: compression_type={compression_type!r}"
            )


def _written(statistics: Statistics, output_path: FilePath | None) -> Statistics:
    if output_path is not None:
        write_stats_binary(statistics, output_path)
    return statistics


def _batch_size(options: StatsOptions | None) -> int:
    return (options.desired_batch_size if options else None) or DEFAULT_BATCH_SIZE


def generate_statistics_from_tfrecord(
    data_location: FilePath,
    output_path: FilePath | None = None,
    stats_options: StatsOptions | None = None,
    pipeline_options: object = None,
) -> Statistics:
    """Compute statistics of TFRecord files of tf.Examples, gzipped or not.

    Args:
        data_location: A path or glob pattern, local or an fsspec URL.
        output_path: Where to write the statistics, too.
        stats_options: What to compute.
        pipeline_options: Beam's options; their runner must be the local one, and nothing else of them
            is looked at, since the work is done by processes of this machine without Beam.

    Raises:
        FileNotFoundError: If no file matches.
        ValueError: If `pipeline_options` name a runner elsewhere.

    Example:
        >>> stats = generate_statistics_from_tfrecord("examples/Split-train/*")
    """
    _refuse_other_runner(pipeline_options)
    files = _matching(data_location)
    options = stats_options or StatsOptions()
    processes = worthwhile_processes(files)
    parts = (part for path in files for part in _tfrecord_reader(path, stats_options).parts(path))
    return _written(statistics_of_parts(parts, options, processes=processes), output_path)


def tfrecord_batches(
    data_location: FilePath, stats_options: StatsOptions | None
) -> Iterator[pa.RecordBatch]:
    """Read TFRecord files of tf.Examples; gzip is detected from each file's first bytes."""
    for path in _matching(data_location):
        yield from _tfrecord_reader(path, stats_options)([path])


def _tfrecord_reader(path: str, options: StatsOptions | None) -> ExamplesReader:
    typed = options is not None and options.infer_type_from_schema
    return ExamplesReader(
        file_format="tfrecords_gzip" if _is_gzip(path) else "tfrecords",
        schema=options.schema if options is not None and typed else None,
        batch_size=_batch_size(options),
    )


def _is_gzip(path: str) -> bool:
    from penstock.io.files.filesystem import open_binary

    with open_binary(path) as file:
        return file.read(2) == b"\x1f\x8b"


def generate_statistics_from_parquet(
    data_location: FilePath,
    output_path: FilePath | None = None,
    stats_options: StatsOptions | None = None,
) -> Statistics:
    """Compute statistics of Parquet files; only the columns of interest are read.

    Decimals are read as floats, dates and times as text in ISO 8601, categories as their values,
    and a struct's fields as separate features. Columns of other types, such as durations, are left
    out, and a warning is logged.

    Args:
        data_location: A path or glob pattern, local or an fsspec URL.
        output_path: Where to write the statistics, too.
        stats_options: What to compute.
    """
    files = _matching(data_location)
    reader = ExamplesReader(
        file_format="parquet",
        batch_size=_batch_size(stats_options),
        columns=_needed_columns(stats_options),
    )
    _tell_types_are_known(stats_options)
    for path in files:
        _tell_left_out(reader.columns_of(path), path)
    parts = (part for path in files for part in reader.parts(path))
    options = stats_options or StatsOptions()
    processes = worthwhile_processes(files)
    return _written(statistics_of_parts(parts, options, processes=processes), output_path)


def _needed_columns(options: StatsOptions | None) -> list[str] | None:
    if options is None or options.feature_allowlist is None:
        return None
    # What these look at is not known beforehand.
    if options.experimental_slice_functions or options.slicing_config or options.generators:
        return None
    if options.label_feature is not None:
        return None
    return [*options.feature_allowlist, *sorted(options.weight_features)]


def generate_statistics_from_csv(
    data_location: FilePath,
    column_names: Sequence[str] | None = None,
    delimiter: str = ",",
    output_path: FilePath | None = None,
    stats_options: StatsOptions | None = None,
    pipeline_options: object = None,
    compression_type: str | None = None,
    *,
    na_values: Sequence[str] = (),
) -> Statistics:
    """Compute statistics of CSV files.

    Args:
        data_location: A path or glob pattern, local or an fsspec URL.
        column_names: The names of the columns, for files without a header line.
        delimiter: What separates cells.
        output_path: Where to write the statistics, too.
        stats_options: What to compute; `infer_type_from_schema` takes the types from its schema.
        pipeline_options: Beam's options; their runner must be the local one, and nothing else of them
            is looked at, since the work is done by processes of this machine without Beam.
        compression_type: "auto" or None: a file's name says how it is compressed (`.gz`, `.bz2`). "gzip",
            "bzip2" or "uncompressed" must be what the names say.
        na_values: Cells that mean "missing", in addition to empty ones.

    Raises:
        FileNotFoundError: If no file matches.
        ValueError: If `pipeline_options` name a runner elsewhere, or a file's name says another
            compression than `compression_type`.

    Example:
        >>> stats = generate_statistics_from_csv("taxi.csv")
    """
    _refuse_other_runner(pipeline_options)
    source = _csv_files(data_location, column_names, delimiter, na_values)
    _check_compression(source.files, compression_type)
    options = stats_options or StatsOptions()
    compute = functools.partial(
        statistics_of_parts, options=options, processes=worthwhile_processes(source.files)
    )
    types = _csv_types(stats_options)
    if types is not None and (untyped := [n for n in source.read_header() if n not in types]):
        _LOG.warning(
            "Columns that the schema has no type for are left out, as in TFDV: %s.", untyped
        )
    if types is None:
        with contextlib.suppress(WrongGuessError):
            parts = csv_parts(source, source.guess_cells(), guessed=True)
            return _written(compute(parts), output_path)
    return _written(
        compute(csv_parts(source, source.read_cells(types, needs_rows=False))), output_path
    )


def csv_batches(
    data_location: FilePath,
    stats_options: StatsOptions | None,
    column_names: Sequence[str] | None = None,
    delimiter: str = ",",
    na_values: Sequence[str] = (),
) -> Iterator[pa.RecordBatch]:
    """Read CSV files; see `generate_statistics_from_csv`."""
    source = _csv_files(data_location, column_names, delimiter, na_values)
    yield from source.read(_csv_types(stats_options), needs_rows=False)


def _csv_files(
    data_location: FilePath,
    column_names: Sequence[str] | None,
    delimiter: str,
    na_values: Sequence[str],
) -> CsvFiles:
    files = _matching(data_location)
    return CsvFiles(files, delimiter, na_values=na_values, column_names=column_names)


def _csv_types(options: StatsOptions | None) -> dict[str, ColumnType] | None:
    if options is None or not options.infer_type_from_schema or options.schema is None:
        return None
    types = {}
    for feature in options.schema.feature:
        if feature.type not in _CSV_TYPES:
            raise ValueError(
                f"infer_type_from_schema: feature {feature.name!r} of the schema has the type "
                f"{schema_pb2.FeatureType.Name(feature.type)}. A CSV column is INT, FLOAT or BYTES."
            )
        types[feature.name] = _CSV_TYPES[feature.type]
    return types


def generate_statistics_from_dataframe(
    dataframe: "pd.DataFrame", stats_options: StatsOptions | None = None, n_jobs: int = 1
) -> Statistics:
    """Compute statistics of a pandas DataFrame; None and NaN are missing.

    Args:
        dataframe: Columns of numbers, booleans, strings, bytes, categories, decimals (floats), dates and
            times (text in ISO 8601), or lists and dicts of them. Others, such as durations, are left
            out, and a warning is logged.
        stats_options: What to compute.
        n_jobs: Only 1: a DataFrame in memory is processed in one process.
    """
    if n_jobs != 1:
        raise ValueError(f"n_jobs must be 1. Received: n_jobs={n_jobs!r}")
    table = table_of(dataframe)
    _tell_left_out(table.schema)
    _tell_types_are_known(stats_options)
    batches = table.to_batches(_batch_size(stats_options)) or [empty_batch(table.schema)]
    return statistics_of_record_batches(map(list_columns, batches), stats_options)


def _tell_types_are_known(options: StatsOptions | None) -> None:
    if options is not None and options.infer_type_from_schema:
        _LOG.warning(
            "StatsOptions(infer_type_from_schema=True) has no effect: these columns already have "
            "types."
        )


def _tell_left_out(columns: pa.Schema, path: str = "") -> None:
    """Log which columns have no statistics, as TFDV does."""
    for column in columns:
        if not has_list_form(column.type):
            _LOG.warning(
                "%scolumn %r of type %s is left out of the statistics: convert it to numbers or text.",
                f"{path}: " if path else "",
                column.name,
                column.type,
            )
