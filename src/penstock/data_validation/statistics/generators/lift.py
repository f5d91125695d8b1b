"""Lift: how much more often a label's value occurs where a feature has a value.

lift(x, y) = P(Y = y | X = x) / P(Y = y); of features with several values per row, "= x" means that x is
among them. Pairs that never occur together have the lift 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.path_steps import PathSteps
from penstock.data_validation.schema_features import FeatureKinds, all_features
from penstock.data_validation.statistics.generators.base import (
    CombinerStatsGenerator,
    Leaves,
    column_at,
    is_text,
    leaves_at,
    leaves_of,
)
from penstock.data_validation.statistics.value_counts import INVALID_UTF8
from penstock.io.arrow.arrays import to_numpy

_Value = str | int
_Present = dict[_Value, npt.NDArray[np.int64]]


class LiftCounts:
    """Rows (or their weight) in all, by label value, by feature value, and by both."""

    def __init__(self) -> None:
        self.rows = 0.0
        self.y: dict[_Value, float] = {}
        self.x: dict[tuple[PathSteps, _Value], float] = {}
        self.xy: dict[tuple[PathSteps, _Value, _Value], float] = {}

    def merge(self, other: "LiftCounts") -> None:
        """Add the state of another one."""
        self.rows += other.rows
        tables: tuple[tuple[dict[Any, float], dict[Any, float]], ...] = (
            (self.y, other.y),
            (self.x, other.x),
            (self.xy, other.xy),
        )
        for mine, theirs in tables:
            for key, count in theirs.items():
                mine[key] = mine.get(key, 0.0) + count


class LiftStats(CombinerStatsGenerator):
    """Lift of a label's values by the values of categorical features.

    `StatsOptions(label_feature=..., schema=...)` computes it for all categorical features.

    Args:
        label_feature: The name or path of the label: strings, or integers, or floats with
            `boundaries`.
        schema: Says which features are categorical.
        x_features: The names or paths of the features; by default the schema's categorical ones.
        boundaries: Boundaries of buckets for a numeric label, ascending.
        weight_feature: The feature with a row's weight.
        per_feature_weight_override: Another weight feature for some features, by name or path: for the
            label it weighs the label's values and all rows, for another feature its values.
        min_x_count: Feature values in no more than so many rows are left out.
        top_k_per_y: Keep the feature values with the greatest lift, by label value.
        bottom_k_per_y: Keep those with the least.
        output_custom_stats: Whether to add custom statistics `Lift (Y=...)` to the features, too.
    """

    def __init__(
        self,
        label_feature: str | Sequence[str],
        *,
        schema: schema_pb2.Schema | None = None,
        x_features: Sequence[str | Sequence[str]] | None = None,
        boundaries: Sequence[float] | None = None,
        weight_feature: str | None = None,
        per_feature_weight_override: Mapping[Any, str] | None = None,
        min_x_count: int = 0,
        top_k_per_y: int | None = None,
        bottom_k_per_y: int | None = None,
        output_custom_stats: bool = True,
    ) -> None:
        if x_features is None and schema is None:
            raise ValueError("LiftStats needs x_features or a schema. Received: neither")
        self._label = _path(label_feature)
        features = _categorical(schema) if x_features is None else map(_path, x_features)
        self._features = sorted(path for path in features if path != self._label)
        self._bounds = None
        if boundaries is not None:
            self._bounds = np.array([-np.inf, *sorted(boundaries), np.inf])
        self._weight = weight_feature
        overrides = (per_feature_weight_override or {}).items()
        self._weights = {_path(feature): weight for feature, weight in overrides}
        self._weighted = bool(self._weight is not None or self._weights)
        self._min_x_count = min_x_count
        self._top, self._bottom = top_k_per_y, bottom_k_per_y
        self._custom = output_custom_stats

    def create_accumulator(self) -> LiftCounts:
        """Return no counts."""
        return LiftCounts()

    def add_input(self, accumulator: LiftCounts, batch: pa.RecordBatch) -> LiftCounts:
        """Add rows."""
        of_label = self._row_weights(batch, self._label)
        plain = of_label if not self._weights else self._row_weights(batch, ())
        accumulator.rows += float(of_label.sum())
        labels = _rows_by_value(leaves_at(batch, self._label), self._bounds)
        for y, rows in labels.items():
            accumulator.y[y] = accumulator.y.get(y, 0.0) + float(of_label[rows].sum())
        for path in self._features:
            weights = plain if path not in self._weights else self._row_weights(batch, path)
            for x, x_rows in _rows_by_value(leaves_at(batch, path), None).items():
                key = (path, x)
                accumulator.x[key] = accumulator.x.get(key, 0.0) + float(weights[x_rows].sum())
                for y, rows in labels.items():
                    both = np.intersect1d(x_rows, rows, assume_unique=True)
                    if len(both):
                        pair = (path, x, y)
                        total = accumulator.xy.get(pair, 0.0) + float(weights[both].sum())
                        accumulator.xy[pair] = total
        return accumulator

    def _row_weights(self, batch: pa.RecordBatch, path: PathSteps) -> npt.NDArray[np.float64]:
        """Return each row's weight for a feature."""
        name = self._weights.get(path, self._weight)
        column = None if name is None else column_at(batch, (name,))
        if column is None:
            return np.ones(batch.num_rows)
        values, rows = leaves_of(column)
        weights = np.zeros(batch.num_rows)
        weights[rows] = to_numpy(values)
        return weights

    def merge_accumulators(self, accumulators: Iterable[LiftCounts]) -> LiftCounts:
        """Add up."""
        merged = LiftCounts()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: LiftCounts) -> statistics_pb2.DatasetFeatureStatistics:
        """Return `cross_features` with `categorical_cross_stats`."""
        result = statistics_pb2.DatasetFeatureStatistics()
        for path in self._features:
            values = [
                (x, count)
                for (owner, x), count in accumulator.x.items()
                if owner == path and count > self._min_x_count
            ]
            if not values or not accumulator.y:
                continue
            cross = result.cross_features.add()
            cross.path_x.step.extend(path)
            cross.path_y.step.extend(self._label)
            feature = result.features.add() if self._custom else None
            if feature is not None:
                feature.path.step.extend(path)
            for y in sorted(accumulator.y, key=_order):
                self._add_series(cross, feature, accumulator, path, y, values)
        return result

    def _add_series(
        self,
        cross: statistics_pb2.CrossFeatureStatistics,
        feature: statistics_pb2.FeatureNameStatistics | None,
        counts: LiftCounts,
        path: PathSteps,
        y: _Value,
        values: Sequence[tuple[_Value, float]],
    ) -> None:
        weighted = self._weighted
        series = cross.categorical_cross_stats.lift.lift_series.add()
        shown = self._set_label(series, y)
        _set_count(series, "y_count", counts.y[y], weighted)
        share = counts.y[y] / counts.rows
        lifts = [
            (counts.xy.get((path, x, y), 0.0) / count / share if share and count else 0.0, x, count)
            for x, count in values
        ]
        lifts.sort(key=lambda entry: (-entry[0], _order(entry[1])))
        histogram = None
        if feature is not None:
            histogram = feature.custom_stats.add(name=f"Lift (Y={shown})").rank_histogram
        for lift, x, count in self._chosen(lifts):
            value = series.lift_values.add(lift=lift)
            if isinstance(x, int):
                value.x_int = x
            else:
                value.x_string = x
            _set_count(value, "x_count", count, weighted)
            _set_count(value, "x_and_y_count", counts.xy.get((path, x, y), 0.0), weighted)
            if histogram is not None:
                histogram.buckets.add(label=str(x), sample_count=lift)

    def _chosen(
        self, lifts: list[tuple[float, _Value, float]]
    ) -> list[tuple[float, _Value, float]]:
        if self._top is None and self._bottom is None:
            return lifts
        top, bottom = self._top or 0, self._bottom or 0
        first_of_bottom = max(len(lifts) - bottom, min(top, len(lifts)))
        return [*lifts[:top], *lifts[first_of_bottom:]]

    def _set_label(self, series: statistics_pb2.LiftSeries, y: _Value) -> str:
        if self._bounds is not None and isinstance(y, int):
            low, high = float(self._bounds[y]), float(self._bounds[y + 1])
            series.y_bucket.low_value, series.y_bucket.high_value = low, high
            return f"[{low:g},{high:g}{']' if high == np.inf else ')'}"
        if isinstance(y, int):
            series.y_int = y
        else:
            series.y_string = y
        return str(y)


def _order(value: _Value) -> tuple[bool, _Value]:
    return isinstance(value, str), value


def _set_count(proto: Any, field: str, count: float, weighted: bool) -> None:
    setattr(proto, f"weighted_{field}" if weighted else field, count if weighted else round(count))


def _path(feature: str | Sequence[str]) -> PathSteps:
    return (feature,) if isinstance(feature, str) else tuple(feature)


def _categorical(schema: schema_pb2.Schema | None) -> list[PathSteps]:
    kinds = FeatureKinds(schema)
    assert schema is not None
    return [
        path
        for path, feature in all_features(schema)
        if path in kinds.categorical_integers
        or (feature.type == schema_pb2.BYTES and path not in kinds.not_categorical | kinds.bytes)
    ]


def _rows_by_value(leaves: Leaves | None, bounds: npt.NDArray[np.float64] | None) -> _Present:
    """Return for each distinct value the rows that have it, each row once."""
    if leaves is None or not len(leaves.values):
        return {}
    values, rows = leaves
    names: list[_Value]
    if bounds is not None:
        numbers = to_numpy(values).astype(np.float64)
        known = ~np.isnan(numbers)
        codes = np.clip(
            np.searchsorted(bounds, numbers[known], side="right") - 1, 0, len(bounds) - 2
        )
        rows, names = rows[known], list(range(len(bounds) - 1))
    elif is_text(values.type) or pa.types.is_integer(values.type):
        encoded = values.dictionary_encode()
        codes = to_numpy(encoded.indices)
        names = [_plain(value) for value in encoded.dictionary.to_pylist()]
    else:
        raise TypeError(
            f"Lift needs strings or integers; for floats, give boundaries. Received: {values.type}"
        )
    order = np.argsort(codes, kind="stable")
    found: _Present = {}
    starts = (
        np.flatnonzero(np.r_[True, np.diff(codes[order]) != 0]) if len(order) else np.array([], int)
    )
    for group in np.split(order, starts[1:]) if len(order) else ():
        value = names[int(codes[group[0]])]
        own = np.unique(rows[group])
        found[value] = np.union1d(found[value], own) if value in found else own
    return found


def _plain(value: Any) -> _Value:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return INVALID_UTF8
    return value  # type: ignore[no-any-return]
