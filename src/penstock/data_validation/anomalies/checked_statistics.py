"""Reading statistics for the checks: by path, and by weight if there is one."""

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.missing_cells import has_empty_cells
from penstock.data_validation.path_steps import PathSteps, path_to_text

_Stats: TypeAlias = statistics_pb2.FeatureNameStatistics

_SCHEMA_TYPES = {
    _Stats.INT: schema_pb2.INT,
    _Stats.FLOAT: schema_pb2.FLOAT,
    _Stats.STRING: schema_pb2.BYTES,
    _Stats.BYTES: schema_pb2.BYTES,
    _Stats.STRUCT: schema_pb2.STRUCT,
}


class CheckedDataset:
    """The statistics of a data set, and those to compare them with.

    Args:
        statistics: The data set's statistics.
        by_weight: Whether to read weighted counts; by default if the statistics have them.
        environment: The environment that the data belongs to.
        previous: Statistics of the previous span, for drift.
        serving: Statistics of serving data, for skew.
        previous_version: Statistics of the previous version of the same span.
    """

    def __init__(
        self,
        statistics: statistics_pb2.DatasetFeatureStatistics,
        by_weight: bool | None = None,
        environment: str | None = None,
        previous: "CheckedDataset | None" = None,
        serving: "CheckedDataset | None" = None,
        previous_version: "CheckedDataset | None" = None,
    ) -> None:
        self.statistics = statistics
        self.environment = environment
        self.previous = previous
        self.serving = serving
        self.previous_version = previous_version
        self._by_path = {
            path: CheckedFeature(self, path, proto) for path, proto in _with_paths(statistics)
        }
        self.by_weight = self._has_weights() if by_weight is None else by_weight

    def _has_weights(self) -> bool:
        if not self.statistics.weighted_num_examples:
            return False
        described = (view for view in self._by_path.values() if view.proto.WhichOneof("stats"))
        return all(view.has_weights for view in described)

    @property
    def num_examples(self) -> float:
        """The number of rows, or their weight."""
        statistics = self.statistics
        return float(
            statistics.weighted_num_examples if self.by_weight else statistics.num_examples
        )

    def get(self, path: PathSteps) -> "CheckedFeature | None":
        """Return the feature at a path, or None if it has no statistics."""
        return self._by_path.get(path)

    def roots(self) -> "list[CheckedFeature]":
        """Return the features that no other feature holds, in the order of the statistics."""
        return [view for path, view in self._by_path.items() if path[:-1] not in self._by_path]

    def children(self, parent: PathSteps) -> "list[CheckedFeature]":
        """Return the features directly inside of a struct feature."""
        return [view for path, view in sorted(self._by_path.items()) if path[:-1] == parent]


def _with_paths(
    statistics: statistics_pb2.DatasetFeatureStatistics,
) -> Iterator[tuple[PathSteps, _Stats]]:
    features = [f for f in statistics.features if f.WhichOneof("stats") or f.custom_stats]
    if any(f.WhichOneof("field_id") == "path" for f in features):
        for feature in features:
            yield tuple(feature.path.step), feature
        return
    # Old statistics know names only: "a.b" is a child of "a" if "a" is a struct.
    paths: dict[str, PathSteps] = {}
    structs = {f.name for f in features if f.type == _Stats.STRUCT}
    for feature in sorted(features, key=lambda f: f.name):
        owners = [name for name in structs if feature.name.startswith(name + ".")]
        owner = max(owners, key=len, default=None)
        rest = feature.name if owner is None else feature.name[len(owner) + 1 :]
        paths[feature.name] = (*(paths[owner] if owner else ()), rest)
    for feature in features:
        yield paths[feature.name], feature


class CheckedFeature:
    """The statistics of one feature.

    Args:
        dataset: The data set that it belongs to.
        path: The feature's path.
        proto: The statistics.
        lists: Whether the feature is known to hold lists, which may be empty; by default a row without a
            value is read as missing if no row has more than one.
    """

    def __init__(
        self, dataset: CheckedDataset, path: PathSteps, proto: _Stats, *, lists: bool = False
    ) -> None:
        self.dataset = dataset
        self.path = path
        self.proto = proto
        kind = proto.WhichOneof("stats")
        self._common = (
            getattr(proto, kind).common_stats if kind else statistics_pb2.CommonStatistics()
        )
        self._skips_empty = not lists and kind != "struct_stats" and has_empty_cells(self._common)

    def as_lists(self) -> "CheckedFeature":
        """Return the same feature, read as one that holds lists, which may be empty."""
        return CheckedFeature(self.dataset, self.path, self.proto, lists=True)

    @property
    def name(self) -> str:
        """The path as text."""
        return path_to_text(self.path)

    @property
    def stats_type(self) -> int:
        """The type in the statistics: INT, FLOAT, STRING, BYTES or STRUCT."""
        return int(self.proto.type)

    @property
    def schema_type(self) -> int:
        """The type that a schema uses for it: INT, FLOAT, BYTES or STRUCT."""
        return int(_SCHEMA_TYPES[self.proto.type])

    @property
    def children(self) -> "list[CheckedFeature]":
        """The features inside of this struct feature."""
        return self.dataset.children(self.path) if self.stats_type == _Stats.STRUCT else []

    @property
    def has_weights(self) -> bool:
        """Whether weighted counts exist at every level of nesting."""
        common = self._common
        return common.HasField("weighted_common_stats") and (
            len(common.presence_and_valency_stats)
            == len(common.weighted_presence_and_valency_stats)
        )

    @property
    def _counts(self) -> Any:
        """The counts of rows, or their weights."""
        return self._common.weighted_common_stats if self.dataset.by_weight else self._common

    @property
    def num_present(self) -> float:
        """The number (or weight) of rows that have the feature."""
        counts = self._counts
        return float(counts.tot_num_values if self._skips_empty else counts.num_non_missing)

    @property
    def num_missing(self) -> float:
        """The number (or weight) of rows that lack the feature."""
        counts = self._counts
        empty = counts.num_non_missing - counts.tot_num_values if self._skips_empty else 0
        return float(counts.num_missing + empty)

    @property
    def missing_by_level(self) -> list[float]:
        """What is missing at each level of nesting."""
        common = self._common
        levels = (
            common.weighted_presence_and_valency_stats
            if self.dataset.by_weight
            else common.presence_and_valency_stats
        )
        if self._skips_empty or not levels:
            return [self.num_missing]
        return [float(level.num_missing) for level in levels]

    @property
    def fraction_present(self) -> float | None:
        """The fraction of rows that have the feature; None without rows."""
        total = self.dataset.num_examples
        if total <= 0:
            return None
        return 1.0 if not self.num_missing else self.num_present / total

    @property
    def value_bounds(self) -> list[tuple[int, int]]:
        """The least and the greatest number of values at each level of nesting."""
        if self._skips_empty:
            one = int(self._common.max_num_values)
            return [(one, one)]
        levels = self._common.presence_and_valency_stats or [self._common]
        return [(max(int(s.min_num_values), 0), int(s.max_num_values)) for s in levels]

    @property
    def is_nested(self) -> bool:
        """Whether the values are lists of lists."""
        return len(self._common.presence_and_valency_stats) > 1

    @property
    def num_values(self) -> float:
        """The number (or weight) of values in all rows."""
        common = self._common
        if self.dataset.by_weight:
            return float(common.weighted_common_stats.tot_num_values)
        if not common.tot_num_values:
            return float(common.num_non_missing * common.avg_num_values)
        return float(common.tot_num_values)

    @property
    def _ranks(self) -> Any:
        strings = self.proto.string_stats
        if self.dataset.by_weight:
            return strings.weighted_string_stats.rank_histogram.buckets
        return strings.rank_histogram.buckets

    @property
    def num_listed(self) -> int:
        """How many values of a string feature the statistics list."""
        return len(self._ranks)

    @property
    def lists_all_values(self) -> bool:
        """Whether no value of a string feature was too rare to be listed."""
        return (self.num_unique or 0) <= self.num_listed

    def listed_values(self) -> Iterator[str]:
        """Yield the listed values of a string feature, the most frequent one first."""
        for bucket in self._ranks:
            yield bucket.label

    @property
    def value_counts(self) -> dict[str, float]:
        """The values of a string feature with their counts, sorted by value."""
        counts: dict[str, float] = {}
        for bucket in self._ranks:
            counts.setdefault(bucket.label, bucket.sample_count)
        return dict(sorted(counts.items()))

    @property
    def has_invalid_utf8(self) -> bool:
        """Whether a value is not UTF-8."""
        return bool(self.proto.string_stats.invalid_utf8_count > 0)

    @property
    def num_unique(self) -> int | None:
        """The number of distinct values; None where they were not counted."""
        if self.proto.HasField("string_stats"):
            return int(self.proto.string_stats.unique)
        return None

    @property
    def numbers(self) -> Any:
        """The NumericStatistics."""
        return self.proto.num_stats

    @property
    def listed_numbers(self) -> list[float]:
        """The listed values of a feature of numbers that statistics count like words (categorical ones)."""
        if self.stats_type not in (_Stats.INT, _Stats.FLOAT):
            return []
        return [float(value) for value in self.value_counts]

    @property
    def number_bounds(self) -> tuple[float, float] | None:
        """The least and the greatest number; None of categorical numbers of which none is listed.

        Categorical numbers have no extremes in the statistics: these are then those of the listed values.
        """
        if self.proto.HasField("string_stats"):
            values = [value for value in self.listed_numbers if not math.isnan(value)]
            return (min(values), max(values)) if values else None
        return self.numbers.min, self.numbers.max

    def histogram(self, kind: int) -> statistics_pb2.Histogram | None:
        """Return the histogram of a type, if there is one."""
        if not self.proto.HasField("num_stats"):
            return None
        owner = self.numbers.weighted_numeric_stats if self.dataset.by_weight else self.numbers
        return next((h for h in owner.histograms if h.type == kind), None)

    def custom_stat(self, name: str) -> statistics_pb2.CustomStatistic | None:
        """Return the first custom statistic of a name, if there is one."""
        return next((stat for stat in self.proto.custom_stats if stat.name == name), None)
