"""Generators at work: their accumulators, for the data set and for each feature."""

import copy
import weakref
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.feature_path import FeaturePath
from penstock.data_validation.path_steps import PathSteps, path_from_proto
from penstock.data_validation.statistics.generators.base import (
    CombinerFeatureStatsGenerator,
    CombinerStatsGenerator,
    StatsGenerator,
)
from penstock.data_validation.stats_options import StatsOptions


def generators_of(options: StatsOptions) -> list[StatsGenerator]:
    """Return the generators that options ask for, besides the common statistics."""
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

        generators.append(LiftStats(options.label_feature, schema=schema))
        if options.weight_features:
            weighted = LiftStats(
                options.label_feature,
                schema=schema,
                weight_feature=options.weight_feature,
                per_feature_weight_override=options.per_feature_weight_override,
            )
            generators.append(weighted)
    if options.enable_semantic_domain_stats:
        from penstock.data_validation.statistics.generators.domains import (
            ImageStats,
            NaturalLanguageInference,
            TimeStats,
        )

        generators += [NaturalLanguageInference(), ImageStats(), TimeStats()]
    for generator in options.generators:
        if not isinstance(generator, StatsGenerator):
            raise TypeError(
                f"A generator must derive from CombinerStatsGenerator or CombinerFeatureStatsGenerator. "
                f"Received: {generator!r}"
            )
    return [*generators, *options.generators]


# The copies of this process on which `setup` was called, by the id of the original while that lives.
_SET_UP: dict[int, StatsGenerator] = {}


def _set_up(generator: StatsGenerator) -> StatsGenerator:
    """Return the generator ready for work: a copy if it has a `setup`, so that pickling stays possible."""
    if getattr(type(generator), "setup", _SETUP) is _SETUP:
        return generator
    if id(generator) not in _SET_UP:
        ready = copy.copy(generator)
        ready.setup()
        _SET_UP[id(generator)] = ready
        weakref.finalize(generator, _SET_UP.pop, id(generator), None)
    return _SET_UP[id(generator)]


_SETUP = CombinerStatsGenerator.setup


class RunningGenerators:
    """The accumulators of a data set's generators."""

    def __init__(self, generators: Sequence[StatsGenerator]) -> None:
        self._generators = list(generators)
        self._for_features = [
            index
            for index, generator in enumerate(generators)
            if isinstance(generator, CombinerFeatureStatsGenerator)
        ]
        self._whole: dict[int, Any] = {}
        self._features: dict[tuple[int, PathSteps], Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Compacts the accumulators that are sent to another process."""
        state = vars(self).copy()
        state["_whole"] = {
            index: _set_up(self._generators[index]).compact(accumulator)
            for index, accumulator in self._whole.items()
        }
        state["_features"] = {
            key: _set_up(self._generators[key[0]]).compact(accumulator)
            for key, accumulator in self._features.items()
        }
        return state

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch to the generators of whole batches."""
        for index, original in enumerate(self._generators):
            generator = _set_up(original)
            if isinstance(generator, CombinerStatsGenerator):
                if index not in self._whole:
                    self._whole[index] = generator.create_accumulator()
                self._whole[index] = generator.add_input(self._whole[index], batch)

    def add_feature(self, path: PathSteps, array: pa.Array) -> None:
        """Add a column to the generators of single features."""
        for index in self._for_features:
            generator = _set_up(self._generators[index])
            assert isinstance(generator, CombinerFeatureStatsGenerator)
            key = (index, path)
            if key not in self._features:
                self._features[key] = generator.create_accumulator()
            accumulator = self._features[key]
            self._features[key] = generator.add_input(accumulator, FeaturePath(path), array)

    def merge(self, other: "RunningGenerators") -> None:
        """Add the state of another one."""
        for index in range(len(self._generators)):
            generator = _set_up(self._generators[index])
            pairs: list[tuple[dict[Any, Any], dict[Any, Any], Any]] = []
            if index in other._whole:
                pairs.append((self._whole, other._whole, index))
            pairs += [
                (self._features, other._features, k) for k in other._features if k[0] == index
            ]
            for mine, theirs, key in pairs:
                if key in mine:
                    both = [generator.compact(mine[key]), generator.compact(theirs[key])]
                    mine[key] = generator.merge_accumulators(both)
                else:
                    mine[key] = theirs[key]

    def add_to(self, dataset: statistics_pb2.DatasetFeatureStatistics) -> None:
        """Merge the results into a data set's statistics."""
        by_path = {path_from_proto(f.path, f.name): f for f in dataset.features}
        by_pair: dict[tuple[PathSteps, PathSteps], statistics_pb2.CrossFeatureStatistics] = {}
        for (index, path), accumulator in sorted(self._features.items(), key=lambda item: item[0]):
            feature = self._extracted(index, accumulator)
            self._merge_into(dataset, by_path, path, feature)
        for index, accumulator in sorted(self._whole.items()):
            found = self._extracted(index, accumulator)
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

    def _extracted(self, index: int, accumulator: Any) -> Any:
        generator = _set_up(self._generators[index])
        return generator.extract_output(generator.compact(accumulator))

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
