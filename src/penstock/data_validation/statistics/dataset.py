"""The kernel that turns RecordBatches into DatasetFeatureStatistics."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.path_steps import PathSteps
from penstock.data_validation.schema_features import FeatureKinds
from penstock.data_validation.statistics.generators.base import (
    innermost_type,
    leaves_of,
)
from penstock.data_validation.statistics.generators.running import (
    RunningGenerators,
    generators_of,
)
from penstock.data_validation.statistics.numeric import Numeric
from penstock.data_validation.statistics.presence import Presence
from penstock.data_validation.statistics.text import Bytes, Text
from penstock.data_validation.stats_options import StatsOptions
from penstock.io.arrow.arrays import one_value_lists, to_numpy
from penstock.io.arrow.list_columns import repeated, with_list_columns

_Floats = npt.NDArray[np.float64]
_Type = statistics_pb2.FeatureNameStatistics


def _stats_type(path: PathSteps, kind: pa.DataType) -> int | None:
    """Return the proto's type of a column's innermost values; None for Arrow's null."""
    kind = innermost_type(kind)
    if pa.types.is_null(kind):
        return None
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return int(_Type.INT)
    if pa.types.is_floating(kind):
        return int(_Type.FLOAT)
    if pa.types.is_struct(kind):
        return int(_Type.STRUCT)
    binary = (pa.types.is_binary, pa.types.is_large_binary)
    text = (pa.types.is_string, pa.types.is_large_string)
    if any(is_kind(kind) for is_kind in (*binary, *text)):
        return int(_Type.STRING)
    raise TypeError(
        f"Feature {'.'.join(path)!r} holds values of type {kind}. Statistics support integers, "
        f"floats, booleans, strings, bytes, and lists and structs of them."
    )


class FeatureStatistics:
    """The statistics of one feature, whatever its type turns out to be."""

    def __init__(
        self, path: PathSteps, options: StatsOptions, kinds: FeatureKinds, weighted: bool
    ) -> None:
        self.path = path
        self._options = options
        self._type: int | None = None
        self._is_bytes = path in kinds.bytes
        self._categorical = {
            int(_Type.INT): path in kinds.categorical_integers,
            int(_Type.FLOAT): path in kinds.categorical_floats,
        }
        config = options.per_feature_stats_config
        self._histograms = config is None or config.should_compute_histograms(path)
        self._categorical_text = path not in kinds.not_categorical
        self.presence = Presence(options, weighted)
        self._values: Numeric | Text | Bytes | None = None

    def add(self, array: pa.Array, weights: _Floats | None) -> None:
        """Add a column."""
        self._see_type(_stats_type(self.path, array.type))
        values, weights = self.presence.add(array, weights)
        if pa.types.is_null(values.type):
            return
        if values.null_count:
            keep = values.is_valid()
            if weights is not None:
                weights = weights[to_numpy(keep)]
            values = values.filter(keep)
        if isinstance(self._values, Bytes):
            self._values.add(values)
        elif self._values is not None and len(values):
            self._values.add(values, weights)

    def _see_type(self, kind: int | None) -> None:
        if kind is None or kind == self._type:
            return
        if self._type is not None:
            raise TypeError(
                f"Feature {'.'.join(self.path)!r} has values of type {_Type.Type.Name(kind)} here "
                f"and {_Type.Type.Name(self._type)} before. A feature must have one type."
            )
        self._type = kind
        weighted = self.presence.weighted
        if kind == _Type.STRING:
            text = Text(self._options, weighted, self._categorical_text)
            self._values = Bytes() if self._is_bytes else text
        elif self._categorical.get(kind):
            self._values = Text(self._options, weighted, True)
        elif kind in self._categorical:
            self._values = Numeric(self._options, weighted)

    def merge(self, other: "FeatureStatistics") -> None:
        """Add the state of another one."""
        self._see_type(other._type)
        self.presence.merge(other.presence)
        if self._values is not None and other._values is not None:
            self._values.merge(other._values)  # type: ignore[arg-type]

    def result(
        self, rows: int, weighted_rows: float, parent: "FeatureStatistics | None"
    ) -> statistics_pb2.FeatureNameStatistics:
        """Make the proto."""
        proto = statistics_pb2.FeatureNameStatistics()
        proto.path.step.extend(self.path)
        common = self.presence.result(
            rows,
            weighted_rows,
            parent.presence if parent else None,
            with_histogram=self._histograms,
        )
        values = self.presence.leaf_values
        if isinstance(self._values, Numeric):
            proto.type = self._type
            proto.num_stats.CopyFrom(self._values.result(with_histograms=self._histograms))
            proto.num_stats.common_stats.CopyFrom(common)
        elif isinstance(self._values, Bytes) or (self._type is None and self._is_bytes):
            proto.type = _Type.BYTES
            seen = self._values if isinstance(self._values, Bytes) else Bytes()
            proto.bytes_stats.CopyFrom(seen.result(common.tot_num_values))
            proto.bytes_stats.common_stats.CopyFrom(common)
        elif self._type == _Type.STRUCT:
            proto.type = self._type
            proto.struct_stats.common_stats.CopyFrom(common)
        else:
            proto.type = _Type.STRING if self._type is None else self._type
            if self._values is not None:
                proto.string_stats.CopyFrom(self._values.result(values))
            proto.string_stats.common_stats.CopyFrom(common)
        if self._histograms:
            proto.custom_stats.extend(self.presence.nested_length_histograms())
        return proto


class DatasetStatistics:
    """Statistics of a data set, as a mergeable kernel.

    Args:
        options: What to compute.
        name: The name of the data set or slice.

    Example:
        >>> kernel = DatasetStatistics(StatsOptions())
        >>> for batch in batches:
        ...     kernel.add(batch)
        >>> kernel.result().num_examples
        234
    """

    def __init__(self, options: StatsOptions, name: str = "") -> None:
        self._options = options
        self._name = name
        self._kinds = FeatureKinds(options.schema)
        self._rows = 0
        self._weighted_rows = 0.0
        self._features: dict[PathSteps, FeatureStatistics] = {}
        self._generators = RunningGenerators(generators_of(options))

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows.

        Raises:
            TypeError: If a feature's type is not known or changes.
            ValueError: If a weight is missing or below 0, or two columns have one name.
        """
        if twice := repeated(batch.schema.names):
            raise ValueError(f"The column names {twice} come more than once. Rename or drop some.")
        batch = with_list_columns(batch)
        self._rows += batch.num_rows
        weights = {name: _weights(batch, name) for name in self._options.weight_features}
        default = self._options.weight_feature
        if default is not None:
            self._weighted_rows += float(weights[default].sum())
        self._generators.add(batch)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if self._options.allows(name):
                self._add_feature((name,), column, weights)

    def _add_feature(
        self, path: PathSteps, array: pa.Array, weights: Mapping[str, _Floats]
    ) -> None:
        if pa.types.is_struct(array.type):
            # The features of a tf.SequenceExample's lists are one struct a row.
            array = one_value_lists(array)
        is_struct = pa.types.is_struct(innermost_type(array.type))
        if not is_struct:
            self._generators.add_feature(path, array)
        if self._options.add_default_generators:
            own = weights.get(self._options.weight_of(path) or "")
            feature = self._features.get(path)
            if feature is None:
                feature = FeatureStatistics(path, self._options, self._kinds, own is not None)
                self._features[path] = feature
            feature.add(array, own)
        if is_struct:
            values, rows = leaves_of(array)
            inner = {name: numbers[rows] for name, numbers in weights.items()}
            for field, child in zip(values.type, values.flatten(), strict=True):
                self._add_feature((*path, field.name), child, inner)

    def merge(self, other: "DatasetStatistics") -> None:
        """Add the state of another one; the other one must not be used afterwards."""
        self._generators.merge(other._generators)
        self._rows += other._rows
        self._weighted_rows += other._weighted_rows
        for path, feature in other._features.items():
            if path in self._features:
                self._features[path].merge(feature)
            else:
                self._features[path] = feature

    def result(self) -> statistics_pb2.DatasetFeatureStatistics:
        """Make the proto; features are sorted by path."""
        proto = statistics_pb2.DatasetFeatureStatistics(name=self._name)
        if self._options.add_default_generators:
            proto.num_examples = self._rows
            proto.weighted_num_examples = self._weighted_rows
        for path, feature in sorted(self._features.items()):
            parent = self._features.get(path[:-1])
            proto.features.append(feature.result(self._rows, self._weighted_rows, parent))
        self._generators.add_to(proto)
        return proto


def _weights(batch: pa.RecordBatch, name: str) -> _Floats:
    """Return the one weight of each row."""
    if name not in batch.schema.names:
        raise ValueError(
            f"The weight feature {name!r} is not in the data. Features: {batch.schema.names}"
        )
    column = batch.column(batch.schema.names.index(name))
    values = column.flatten() if pa.types.is_nested(column.type) else column.drop_null()
    lengths = column.value_lengths() if pa.types.is_nested(column.type) else None
    single = lengths is None or (not lengths.null_count and bool((to_numpy(lengths) == 1).all()))
    if len(values) != batch.num_rows or not single or not _is_number(values.type):
        raise ValueError(
            f"The weight feature {name!r} must have exactly one number in every row. Received "
            f"{len(values)} values of type {values.type} in {batch.num_rows} rows."
        )
    weights: _Floats = to_numpy(values).astype(np.float64)
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        raise ValueError(
            f"The weight feature {name!r} must have a finite number of 0 or more in every row. Received: "
            f"{weights[wrong][0]}"
        )
    return weights


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
