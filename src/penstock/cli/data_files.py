"""Statistics for a path on the command line, which holds data or statistics."""

from __future__ import annotations

import functools
import glob
import os
import sys
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.errors import CommandError, NotFound, UsageError

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

    from penstock.data_validation import StatsOptions

_STATISTICS = (".pb", ".pbtxt")
_KNOWN = "data as .csv, .parquet or TFRecords, statistics as .pb or .pbtxt, or an artifact's folder"


def statistics_of(
    path: str, schema: schema_pb2.Schema | None = None, split: str | None = None
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Return stored statistics, or compute them from data.

    Args:
        path: A file, a glob pattern, a URL, or the folder of an Examples or ExampleStatistics artifact.
        schema: Says which features are categorical, images and so on.
        split: Which split of an artifact; needed if it has several.

    Raises:
        NotFound: If there is nothing of that name.
        UsageError: If it is not clear what it is.
        CommandError: If it is damaged, or something else than its name says.
    """
    try:
        return _read_statistics(path, schema, split)
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.") from error
    except (ValueError, TypeError) as error:
        raise _unusable(path, error) from error


def _read_statistics(
    path: str, schema: schema_pb2.Schema | None, split: str | None
) -> statistics_pb2.DatasetFeatureStatisticsList:
    from penstock import data_validation

    options = data_validation.StatsOptions(schema=schema)
    if os.path.isdir(path):
        return _statistics_of_folder(path, options, split)
    if split is not None:
        raise UsageError(f"--split applies only to an artifact's folder. Received: {path}")
    name = path.split("?")[0].lower()
    if name.endswith(_STATISTICS):
        return data_validation.load_statistics(path)
    if name.endswith((".csv", ".csv.gz", ".tsv")):
        return _statistics_of_csv(path, "\t" if name.endswith(".tsv") else ",", options)
    if name.endswith(".parquet"):
        return data_validation.generate_statistics_from_parquet(path, stats_options=options)
    if "tfrecord" in name or name.endswith(".gz"):
        return data_validation.generate_statistics_from_tfrecord(path, stats_options=options)
    if not os.path.exists(path):
        raise NotFound(f"There is no file {path}.")
    raise UsageError(
        f"{path}: the file name does not show what kind of data it holds. Expected: {_KNOWN}."
    )


def _statistics_of_csv(
    path: str, delimiter: str, options: StatsOptions
) -> statistics_pb2.DatasetFeatureStatisticsList:
    from penstock import data_validation
    from penstock.io.csv.header import CsvError

    compute = functools.partial(
        data_validation.generate_statistics_from_csv, path, stats_options=options
    )
    try:
        return compute(delimiter=delimiter)
    except CsvError as error:
        if error.delimiter is None:
            raise
        print(f"{path}: cells are separated by {error.delimiter!r}", file=sys.stderr)
        return compute(delimiter=error.delimiter)


def _statistics_of_folder(
    path: str, options: object, split: str | None
) -> statistics_pb2.DatasetFeatureStatisticsList:
    from penstock import data_validation
    from penstock.io import split_files, split_names

    splits = split_names(path)
    if not splits:
        raise UsageError(f"{path}: the folder has no Split-<name> folders. Expected: {_KNOWN}.")
    if split is None and len(splits) > 1:
        raise UsageError(f"{path} has the splits {splits}: choose one with --split.")
    chosen = splits[0] if split is None else split
    if chosen not in splits:
        raise NotFound(f"{path} has no split {chosen!r}. Splits: {splits}")
    files = split_files(path, chosen)
    if files[0].endswith(".pb"):
        return data_validation.load_stats_binary(files[0])
    parquet = files[0].endswith(".parquet")
    generate = (
        data_validation.generate_statistics_from_parquet
        if parquet
        else data_validation.generate_statistics_from_tfrecord
    )
    assert isinstance(options, data_validation.StatsOptions)
    return generate(f"{glob.escape(path)}/Split-{chosen}/*", stats_options=options)


def load_schema(path: str) -> schema_pb2.Schema:
    """Read a schema: a text proto, or the folder of a Schema artifact.

    Raises:
        NotFound: If there is none.
        CommandError: If it is no schema.
    """
    from penstock.data_validation import load_schema_text

    file = os.path.join(path, "schema.pbtxt") if os.path.isdir(path) else path
    try:
        return load_schema_text(file)
    except FileNotFoundError as error:
        raise NotFound(f"There is no schema {file}.") from error
    except ValueError as error:
        raise _unusable(file, error) from error


def _unusable(path: str, error: Exception) -> CommandError:
    text = str(error)
    return CommandError(text if path in text else f"{path}: {text}", exit_codes.ENVIRONMENT)
