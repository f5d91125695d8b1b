"""Inferring a schema from statistics, and updating one."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.anomalies.checked_statistics import CheckedDataset, CheckedFeature
from penstock.data_validation.anomalies.schema_editor import SchemaEditor
from penstock.data_validation.statistics.generate import ALL_EXAMPLES

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList
SchemaTransformation = Callable[
    [schema_pb2.Schema, statistics_pb2.DatasetFeatureStatistics], schema_pb2.Schema
]


def default_dataset(
    statistics: Statistics, name: str = "statistics"
) -> statistics_pb2.DatasetFeatureStatistics:
    """Return the only data set of statistics; for sliced statistics, that of all examples.

    Raises:
        TypeError: If `statistics` is not a DatasetFeatureStatisticsList.
        ValueError: If it holds no data set, or slices without all examples.
    """
    check_statistics(statistics, name)
    if len(statistics.datasets) == 1:
        return statistics.datasets[0]
    for dataset in statistics.datasets:
        if dataset.name == ALL_EXAMPLES:
            return dataset
    names = [dataset.name for dataset in statistics.datasets]
    raise ValueError(
        f"Only statistics proto with one dataset or the default slice, {ALL_EXAMPLES!r}, can be used. "
        f"Received: {name} with the datasets {names}"
    )


def check_statistics(statistics: Statistics, name: str = "statistics") -> None:
    """Raise a TypeError if an argument is not a DatasetFeatureStatisticsList."""
    if not isinstance(statistics, statistics_pb2.DatasetFeatureStatisticsList):
        kind = type(statistics).__name__
        raise TypeError(
            f"{name} is of type {kind}, should be a DatasetFeatureStatisticsList proto."
        )


def check_schema(schema: schema_pb2.Schema) -> None:
    """Raise a TypeError if an argument is not a Schema."""
    if not isinstance(schema, schema_pb2.Schema):
        raise TypeError(f"schema is of type {type(schema).__name__}, should be a Schema proto.")


def infer_schema(
    statistics: Statistics,
    infer_feature_shape: bool = True,
    max_string_domain_size: int = 100,
    schema_transformations: Sequence[SchemaTransformation] | None = None,
) -> schema_pb2.Schema:
    """Infer a schema that accepts the data that the statistics describe.

    Args:
        statistics: Statistics of one data set.
        infer_feature_shape: Whether features that have the same number of values in every row get
            that shape.
        max_string_domain_size: A string feature with at most as many distinct values gets a
            domain of them.
        schema_transformations: Functions of (schema, statistics) that change the result, in turn.

    Example:
        >>> schema = infer_schema(generate_statistics_from_csv("taxi.csv"))
    """
    dataset = default_dataset(statistics)
    schema = schema_pb2.Schema()
    # Of sparse and weighted features the statistics tell only how their parts fit, not what they are.
    described = statistics_pb2.DatasetFeatureStatistics()
    described.CopyFrom(dataset)
    del described.features[:]
    described.features.extend(f for f in dataset.features if f.WhichOneof("stats"))
    _extend(SchemaEditor(schema, max_string_domain_size, infer_feature_shape), described)
    for transform in schema_transformations or ():
        schema = transform(schema, dataset)
    return schema


def update_schema(
    schema: schema_pb2.Schema,
    statistics: Statistics,
    infer_feature_shape: bool = True,
    max_string_domain_size: int = 100,
) -> schema_pb2.Schema:
    """Return a schema that also accepts new data: every anomaly is fixed.

    Args:
        schema: The schema so far; it is not changed.
        statistics: Statistics of the new data.
        infer_feature_shape: Not used, as in TFDV: a new feature gets a number of values, and no
            shape.
        max_string_domain_size: As for `infer_schema`.

    Raises:
        TypeError: If `schema` is not a Schema proto.
    """
    check_schema(schema)
    updated = schema_pb2.Schema()
    updated.CopyFrom(schema)
    editor = SchemaEditor(updated, max_string_domain_size, infer_feature_shape=False)
    _extend(editor, default_dataset(statistics))
    return updated


def _extend(editor: SchemaEditor, dataset: statistics_pb2.DatasetFeatureStatistics) -> None:
    """Make the editor's schema accept a data set."""
    view = CheckedDataset(dataset)
    for root in view.roots():
        _update(editor, root)
    for path in editor.missing_paths(view):
        editor.deprecate(path)


def _update(editor: SchemaEditor, view: CheckedFeature) -> None:
    if not editor.has(view.path):
        editor.add(view)
        return
    editor.check(view, keep_fixes=True)
    if not editor.is_deprecated(view.path):
        for child in view.children:
            _update(editor, child)
