"""Looking statistics up: data sets by slice, features by path, custom statistics by name."""

from collections.abc import Iterable, KeysView, Sequence
from functools import cached_property
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.feature_path import FeaturePath
from penstock.data_validation.statistics.generate import ALL_EXAMPLES


def _path_of(feature_id: str | Iterable[str]) -> FeaturePath:
    return FeaturePath((feature_id,) if isinstance(feature_id, str) else feature_id)


class FeatureView:
    """The statistics of one feature.

    Args:
        stats_proto: The proto.
    """

    def __init__(self, stats_proto: statistics_pb2.FeatureNameStatistics) -> None:
        self._proto = stats_proto

    def proto(self) -> statistics_pb2.FeatureNameStatistics:
        """Return the proto."""
        return self._proto

    def custom_statistic(self, name: str) -> statistics_pb2.CustomStatistic | None:
        """Return the custom statistic of a name, or None.

        Raises:
            ValueError: If there are several.
        """
        found = [stat for stat in self._proto.custom_stats if stat.name == name]
        if len(found) > 1:
            raise ValueError(f"There are {len(found)} custom statistics named {name!r}.")
        return found[0] if found else None

    def numeric_statistics(self) -> statistics_pb2.NumericStatistics | None:
        """Return the statistics of numbers, or None."""
        return self._stats("num_stats")

    def string_statistics(self) -> statistics_pb2.StringStatistics | None:
        """Return the statistics of strings, or None."""
        return self._stats("string_stats")

    def bytes_statistics(self) -> statistics_pb2.BytesStatistics | None:
        """Return the statistics of bytes, or None."""
        return self._stats("bytes_stats")

    def struct_statistics(self) -> statistics_pb2.StructStatistics | None:
        """Return the statistics of structs, or None."""
        return self._stats("struct_stats")

    def common_statistics(self) -> statistics_pb2.CommonStatistics | None:
        """Return the statistics that features of every type have: presence and numbers of values."""
        kind = self._proto.WhichOneof("stats")
        return getattr(self._proto, kind).common_stats if kind else None

    def _stats(self, kind: str) -> Any:
        return getattr(self._proto, kind) if self._proto.HasField(kind) else None


class CrossFeatureView:
    """The statistics of two features together.

    Args:
        stats_proto: The proto.
    """

    def __init__(self, stats_proto: statistics_pb2.CrossFeatureStatistics) -> None:
        self._proto = stats_proto

    def proto(self) -> statistics_pb2.CrossFeatureStatistics:
        """Return the proto."""
        return self._proto


class DatasetView:
    """The statistics of one data set, or slice, by the paths of its features.

    Args:
        stats_proto: The proto.

    Example:
        >>> DatasetView(stats.datasets[0]).get_feature("fare").numeric_statistics().mean
        12.4
    """

    def __init__(self, stats_proto: statistics_pb2.DatasetFeatureStatistics) -> None:
        self._proto = stats_proto

    def proto(self) -> statistics_pb2.DatasetFeatureStatistics:
        """Return the proto."""
        return self._proto

    @cached_property
    def _features(self) -> dict[FeaturePath, FeatureView]:
        kinds = {feature.WhichOneof("field_id") for feature in self._proto.features}
        if len(kinds) > 1:
            raise ValueError(
                "Features must be specified with either path or name within a Dataset. Received: both."
            )
        found: dict[FeaturePath, FeatureView] = {}
        for feature in self._proto.features:
            path = FeaturePath([feature.name] if kinds == {"name"} else feature.path.step)
            if path in found:
                raise ValueError(f"Duplicate feature {path}.")
            found[path] = FeatureView(feature)
        return found

    @cached_property
    def _cross_features(self) -> dict[tuple[FeaturePath, FeaturePath], CrossFeatureView]:
        found: dict[tuple[FeaturePath, FeaturePath], CrossFeatureView] = {}
        for cross in self._proto.cross_features:
            pair = FeaturePath.from_proto(cross.path_x), FeaturePath.from_proto(cross.path_y)
            if pair in found:
                raise ValueError(f"Duplicate cross feature of {pair[0]} and {pair[1]}.")
            found[pair] = CrossFeatureView(cross)
        return found

    def get_feature(self, feature_id: str | Iterable[str]) -> FeatureView | None:
        """Return a feature by its name or its path; None if it has no statistics."""
        return self._features.get(_path_of(feature_id))

    def get_cross_feature(
        self, x_path: str | Iterable[str], y_path: str | Iterable[str]
    ) -> CrossFeatureView | None:
        """Return the statistics of two features together, or None."""
        return self._cross_features.get((_path_of(x_path), _path_of(y_path)))

    def list_features(self) -> KeysView[FeaturePath]:
        """Return the paths of all features."""
        return self._features.keys()

    def list_cross_features(self) -> KeysView[tuple[FeaturePath, FeaturePath]]:
        """Return the paths of all pairs of features."""
        return self._cross_features.keys()

    def get_derived_feature(
        self, deriver_name: str, source_paths: Sequence[Iterable[str]]
    ) -> FeatureView | None:
        """Return the feature that was derived from others for validation, if there is one.

        Args:
            deriver_name: The deriver's name.
            source_paths: The paths of its sources, in order.

        Raises:
            ValueError: If there are several.
        """
        wanted = [_path_of(path) for path in source_paths]
        found = [
            feature
            for feature in self._proto.features
            if feature.HasField("validation_derived_source")
            and feature.validation_derived_source.deriver_name == deriver_name
            and [FeaturePath.from_proto(p) for p in feature.validation_derived_source.source_path]
            == wanted
        ]
        if len(found) > 1:
            raise ValueError(f"Ambiguous result, {len(found)} features matched {deriver_name!r}.")
        return FeatureView(found[0]) if found else None


class DatasetListView:
    """The statistics of several data sets, or slices, by name.

    Args:
        stats_proto: The proto.

    Example:
        >>> DatasetListView(stats).get_slice("country_ch").list_features()
        dict_keys([FeaturePath(('fare',))])
    """

    def __init__(self, stats_proto: statistics_pb2.DatasetFeatureStatisticsList) -> None:
        self._proto = stats_proto

    def proto(self) -> statistics_pb2.DatasetFeatureStatisticsList:
        """Return the proto."""
        return self._proto

    @cached_property
    def _slices(self) -> dict[str, DatasetView]:
        found: dict[str, DatasetView] = {}
        for dataset in self._proto.datasets:
            if dataset.name in found:
                raise ValueError(f"Duplicate slice name {dataset.name}.")
            found[dataset.name] = DatasetView(dataset)
        return found

    def get_slice(self, slice_key: str) -> DatasetView | None:
        """Return a slice, or None."""
        return self._slices.get(slice_key)

    def get_default_slice(self) -> DatasetView | None:
        """Return the only data set, or that of all examples; None if there is neither."""
        if len(self._slices) == 1:
            return next(iter(self._slices.values()))
        return self._slices.get(ALL_EXAMPLES)

    def get_default_slice_or_die(self) -> DatasetView:
        """Return the only data set, or that of all examples.

        Raises:
            ValueError: If there is neither.
        """
        found = self.get_default_slice()
        if found is None:
            raise ValueError(f"Missing default slice: {ALL_EXAMPLES!r} is not in {[*self._slices]}")
        return found

    def list_slices(self) -> KeysView[str]:
        """Return the names of all slices."""
        return self._slices.keys()


def get_feature_stats(
    stats: statistics_pb2.DatasetFeatureStatistics, feature_path: str | Iterable[str]
) -> statistics_pb2.FeatureNameStatistics:
    """Return the statistics of a feature of a data set.

    Args:
        stats: The data set.
        feature_path: A name, or the steps to a feature inside of structs.

    Raises:
        TypeError: If `stats` is not a DatasetFeatureStatistics.
        ValueError: If there are no statistics of the feature.
    """
    if not isinstance(stats, statistics_pb2.DatasetFeatureStatistics):
        raise TypeError(
            f"statistics is of type {type(stats).__name__}, should be a DatasetFeatureStatistics "
            "proto."
        )
    path = _path_of(feature_path)
    view = DatasetView(stats)
    found = view.get_feature(path)
    if found is None:
        names = [str(name) for name in view.list_features()]
        raise ValueError(f"Feature {path} not found in the dataset statistics. It has: {names}")
    return found.proto()


def get_slice_stats(
    stats: statistics_pb2.DatasetFeatureStatisticsList, slice_key: str
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Return the statistics of one slice.

    Raises:
        ValueError: If the slice does not exist.
    """
    for dataset in stats.datasets:
        if dataset.name == slice_key:
            return statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset])
    names = [dataset.name for dataset in stats.datasets]
    raise ValueError(f"Invalid slice key. Received: {slice_key!r}. Slices: {names}")
