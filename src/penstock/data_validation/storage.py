"""Reading and writing statistics, schemas and anomalies, binary and as text protos."""

import os
from typing import Any, TypeVar

from google.protobuf import message, text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from penstock.artifacts import location
from penstock.io.files.filesystem import FilePath, open_binary

_Proto = TypeVar("_Proto", bound=message.Message)


def _load_binary(path: FilePath, proto: _Proto) -> _Proto:
    with open_binary(path) as file:
        content = file.read()
    try:
        proto.ParseFromString(content)
    except message.DecodeError as error:
        name = proto.DESCRIPTOR.name
        raise ValueError(f"{path}: not a serialized {name} ({error}).") from error
    return proto


def _load_text(path: FilePath, proto: _Proto) -> _Proto:
    with open_binary(path) as file:
        content = file.read()
    try:
        text_format.Parse(content, proto)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        name = proto.DESCRIPTOR.name
        raise ValueError(f"{path}: not a {name} text proto: {error}") from error
    return proto


def _write_binary(proto: Any, path: FilePath) -> None:
    location.write_bytes(os.fspath(path), proto.SerializeToString(deterministic=True))


def _write_text(proto: Any, path: FilePath, name: str, kind: type[message.Message]) -> None:
    if not isinstance(proto, kind):
        article = "an" if kind is anomalies_pb2.Anomalies else "a"
        raise TypeError(
            f"{name} is of type {type(proto).__name__}, should be {article} "
            f"{kind.DESCRIPTOR.name} proto."
        )
    location.write_bytes(os.fspath(path), text_format.MessageToString(proto).encode())


def load_schema_text(input_path: FilePath) -> schema_pb2.Schema:
    """Read a schema from a text proto (`schema.pbtxt`).

    Raises:
        ValueError: If the file is not a schema; the message names the line.
    """
    return _load_text(input_path, schema_pb2.Schema())


def write_schema_text(schema: schema_pb2.Schema, output_path: FilePath) -> None:
    """Write a schema as a text proto.

    Raises:
        TypeError: If `schema` is not a Schema.
    """
    _write_text(schema, output_path, "schema", schema_pb2.Schema)


def load_stats_binary(input_path: FilePath) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Read serialized statistics (`FeatureStats.pb`)."""
    return _load_binary(input_path, statistics_pb2.DatasetFeatureStatisticsList())


def load_stats_text(input_path: FilePath) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Read statistics from a text proto."""
    return _load_text(input_path, statistics_pb2.DatasetFeatureStatisticsList())


def load_statistics(input_path: FilePath) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Read statistics: a TFRecord file with one record, a text proto, or serialized ones.

    The path's ending decides which (`.tfrecord`, `.tfrecords`, `.gz`; `.pbtxt`, `.txt`; `.pb`), or
    else the content.

    Raises:
        ValueError: If the file does not hold statistics.

    Example:
        >>> load_statistics("stats.tfrecord").datasets[0].num_examples
        334
    """
    from penstock.io.tfrecord.records import TFRecordError, read_tfrecords

    input_path = os.fspath(input_path)
    if input_path.endswith((".pbtxt", ".txt")):
        return load_stats_text(input_path)
    if input_path.endswith(".pb"):
        return load_stats_binary(input_path)
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    try:
        for record in read_tfrecords(input_path):
            statistics.MergeFromString(record)
        return statistics
    except TFRecordError:
        if input_path.endswith((".tfrecord", ".tfrecords", ".gz")):
            raise
    try:
        return load_stats_binary(input_path)
    except ValueError:
        return load_stats_text(input_path)


def write_stats_binary(
    stats: statistics_pb2.DatasetFeatureStatisticsList, output_path: FilePath
) -> None:
    """Write serialized statistics; equal statistics give equal bytes."""
    _write_binary(stats, output_path)


def write_stats_text(
    stats: statistics_pb2.DatasetFeatureStatisticsList, output_path: FilePath
) -> None:
    """Write statistics as a text proto.

    Raises:
        TypeError: If `stats` is not a DatasetFeatureStatisticsList.
    """
    _write_text(stats, output_path, "stats", statistics_pb2.DatasetFeatureStatisticsList)


def load_anomalies_binary(input_path: FilePath) -> anomalies_pb2.Anomalies:
    """Read serialized anomalies (`SchemaDiff.pb`)."""
    return _load_binary(input_path, anomalies_pb2.Anomalies())


def load_anomalies_text(input_path: FilePath) -> anomalies_pb2.Anomalies:
    """Read anomalies from a text proto."""
    return _load_text(input_path, anomalies_pb2.Anomalies())


def write_anomalies_binary(anomalies: anomalies_pb2.Anomalies, output_path: FilePath) -> None:
    """Write serialized anomalies; equal anomalies give equal bytes."""
    _write_binary(anomalies, output_path)


def write_anomalies_text(anomalies: anomalies_pb2.Anomalies, output_path: FilePath) -> None:
    """Write anomalies as a text proto.

    Raises:
        TypeError: If `anomalies` is not an Anomalies proto.
    """
    _write_text(anomalies, output_path, "anomalies", anomalies_pb2.Anomalies)
