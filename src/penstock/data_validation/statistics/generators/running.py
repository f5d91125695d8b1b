"""Generators at work: their accumulators, for the data set and for each feature."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.path_steps import PathSteps, path_from_proto
from penstock.data_validation.statistics.generators.base import (
    CombinerFeatureStatsGenerator,
    CombinerStatsGenerator,
    StatsGenerator,
)
from penstock.data_validation.stats_options import StatsOptions


def generators_of(options: StatsOptions) -> list[StatsGenerator]:
    """Returns the generators that options ask for, besides the common statistics."""
    generators: list[Any] = []
    schema = options.schema
    if schema is not None:
        from penstock.data_validation.statistics.generators.composite import SparseFeatureStats

        generators.append(SparseFeatureStats(schema))
    if schema is not None and schema.weighted_feature:
        from penstock.data_validation.statistics.generators.composite import WeightedFeatureStats

        generators.append(WeightedFeatureStats(schema))
    if schema is not None and any(f.HasField("natural_language_domain") for f in schema.feature):
        from penstock.data_validation.statistics.generators.tokens import TokenStats

        generators.append(TokenStats(options))
    if options.label_feature is not None and schema is not None:
        from penstock.data_validation.statistics.generators.lift import LiftStats

        weights = [None] if options.weight_feature is None else [None, options.weight_feature]
        generators += [
            LiftStats(options.label_feature, schema=schema, weight_feature=weight)
            for weight in weights
        ]
    if options.enable_semantic_domain_stats:
        from penstock.data_validation.statistics.generators.domains import (
            ImageStats,
            NaturalLanguageInference,
            TimeStats,
        )

        generators += [NaturalLanguageInference(), ImageStats(), TimeStats()]
    return [*generators, *options.generators]


class RunningGenerators:
    """The accumulators of a data set's generators."""

    def __init__(self, generators: Sequence[StatsGenerator]) -> None:
        self._generators = list(generators)
        self._whole: dict[int, Any] = {}
        self._features: dict[tuple[int, PathSteps], Any] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        """Adds a batch to the generators of whole batches."""
        for index, generator in enumerate(self._generators):
            if isinstance(generator, CombinerStatsGenerator):
                if index not in self._whole:
                    self._whole[index] = generator.create_accumulator()
                self._whole[index] = generator.add_input(self._whole[index], batch)

    def add_feature(self, path: PathSteps, array: pa.Array) -> None:
        """Adds a column to the generators of single features."""
        for index, generator in enumerate(self._generators):
            if isinstance(generator, CombinerFeatureStatsGenerator):
                key = (index, path)
                if key not in self._features:
                    self._features[key] = generator.create_accumulator()
                self._features[key] = generator.add_input(self._features[key], path, array)

    def merge(self, other: "RunningGenerators") -> None:
        """Adds what another one has seen."""
        for index, generator in enumerate(self._generators):
            pairs: list[tuple[dict[Any, Any], dict[Any, Any], Any]] = []
            if index in other._whole:
                pairs.append((self._whole, other._whole, index))
            pairs += [
                (self._features, other._features, k) for k in other._features if k[0] == index
            ]
            for mine, theirs, key in pairs:
                if key in mine:
                    mine[key] = generator.merge_accumulators([mine[key], theirs[key]])
                else:
                    mine[key] = theirs[key]

    def add_to(self, dataset: statistics_pb2.DatasetFeatureStatistics) -> None:
        """Merges the results into a data set's statistics."""
        by_path = {path_from_proto(f.path, f.name): f for f in dataset.features}
        by_pair: dict[tuple[PathSteps, PathSteps], statistics_pb2.CrossFeatureStatistics] = {}
        for (index, path), accumulator in sorted(self._features.items(), key=lambda item: item[0]):
            generator = self._generators[index]
            assert isinstance(generator, CombinerFeatureStatsGenerator)
            self._merge_into(dataset, by_path, path, generator.extract_output(accumulator))
        for index, accumulator in sorted(self._whole.items()):
            generator = self._generators[index]
            assert isinstance(generator, CombinerStatsGenerator)
            found = generator.extract_output(accumulator)
            for cross in found.cross_features:
                pair = (tuple(cross.path_x.step), tuple(cross.path_y.step))
                if pair in by_pair:
                    cross.ClearField("path_x")
                    cross.ClearField("path_y")
                else:
                    by_pair[pair] = dataset.cross_features.add()
                by_pair[pair].MergeFrom(cross)
            for feature in found.features:
                path = path_from_proto(feature.path, feature.name)
                self._merge_into(dataset, by_path, path, feature)

    def _merge_into(
        self,
        dataset: statistics_pb2.DatasetFeatureStatistics,
        by_path: dict[PathSteps, statistics_pb2.FeatureNameStatistics],
        path: PathSteps,
        found: statistics_pb2.FeatureNameStatistics,
    ) -> None:
        added = statistics_pb2.FeatureNameStatistics()
        added.CopyFrom(found)
        added.ClearField("path")
        added.ClearField("name")
        if not added.ByteSize():
            return
        if path not in by_path:
            by_path[path] = dataset.features.add()
            by_path[path].path.step.extend(path)
        by_path[path].MergeFrom(added)
