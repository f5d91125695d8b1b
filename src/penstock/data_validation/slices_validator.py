"""Checking each slice of the data against a schema, and against the same slice elsewhere."""

import logging

from tensorflow_metadata.proto.v0 import anomalies_pb2, path_pb2, schema_pb2, statistics_pb2

from penstock.data_validation.indexed_statistics import DatasetListView
from penstock.data_validation.schema_inference import Statistics, check_schema, check_statistics
from penstock.data_validation.statistics_validator import validate_statistics

_LOG = logging.getLogger(__name__)


def validate_corresponding_slices(
    statistics: Statistics,
    schema: schema_pb2.Schema,
    environment: str | None = None,
    previous_statistics: Statistics | None = None,
    serving_statistics: Statistics | None = None,
) -> anomalies_pb2.Anomalies:
    """Check every slice of statistics, each compared with the slice of the same name.

    Args:
        statistics: Statistics of slices; one of them of all examples.
        schema: The schema that every slice should match.
        environment: Check for an environment of the schema's `default_environment`.
        previous_statistics: Statistics of the previous span, sliced in the same way.
        serving_statistics: Statistics of serving data, sliced in the same way.

    Returns:
        Anomalies whose paths begin with the slice, such as `slice(country_ch)::fare`. The number of
        rows is not checked.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If statistics have no slice of all examples, or the environment is unknown.

    Example:
        >>> found = validate_corresponding_slices(today, schema, previous_statistics=yesterday)
        >>> list(found.anomaly_info)
        ["'slice(country_ch)::fare'"]
    """
    check_schema(schema)
    if schema.HasField("dataset_constraints"):
        _LOG.warning("The schema's dataset_constraints are not checked for slices.")
    given = {
        "statistics": statistics,
        "previous_statistics": previous_statistics,
        "serving_statistics": serving_statistics,
    }
    flat: dict[str, Statistics] = {}
    slices: set[str] = set()
    for name, each in given.items():
        if each is not None:
            check_statistics(each, name)
            flat[name] = _flattened(each)
            slices.update(dataset.name for dataset in each.datasets)
    return validate_statistics(
        flat["statistics"],
        _for_slices(schema, sorted(slices)),
        environment,
        flat.get("previous_statistics"),
        flat.get("serving_statistics"),
    )


def _in_slice(slice_name: str, name: str) -> str:
    return f"slice({slice_name})::{name}"


def _put_in_slice(path: path_pb2.Path, slice_name: str) -> None:
    path.step[0] = _in_slice(slice_name, path.step[0])


def _flattened(statistics: Statistics) -> Statistics:
    """Return one data set with the features of all slices, their names led by the slice's."""
    flat = statistics_pb2.DatasetFeatureStatistics()
    flat.CopyFrom(DatasetListView(statistics).get_default_slice_or_die().proto())
    flat.ClearField("features")
    flat.ClearField("cross_features")
    for dataset in statistics.datasets:
        for feature in dataset.features:
            copy = flat.features.add()
            copy.CopyFrom(feature)
            if copy.WhichOneof("field_id") == "name":
                copy.path.step.append(feature.name)
            _put_in_slice(copy.path, dataset.name)
        for cross in dataset.cross_features:
            pair = flat.cross_features.add()
            pair.CopyFrom(cross)
            _put_in_slice(pair.path_x, dataset.name)
            _put_in_slice(pair.path_y, dataset.name)
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[flat])


def _for_slices(schema: schema_pb2.Schema, slices: list[str]) -> schema_pb2.Schema:
    """Return a schema that has every feature once for each slice."""
    result = schema_pb2.Schema(
        string_domain=schema.string_domain,
        float_domain=schema.float_domain,
        int_domain=schema.int_domain,
        default_environment=schema.default_environment,
    )
    for name in slices:
        for field in ("feature", "sparse_feature", "weighted_feature"):
            for feature in getattr(schema, field):
                copy = getattr(result, field).add()
                copy.CopyFrom(feature)
                copy.name = _in_slice(name, feature.name)
    return result
