"""Sparse and weighted features: whether their parts come together and are of equal length."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.path_steps import PathSteps, path_from_proto
from penstock.data_validation.statistics.generators.base import CombinerStatsGenerator, lists_at
from penstock.io.arrow.arrays import to_numpy, valid_rows

_Container: TypeAlias = schema_pb2.Schema | schema_pb2.StructDomain


class Parts(NamedTuple):
    """The features that make up one.

    Args:
        value: The feature with the values.
        others: Features that must be as long: indices or weights.
    """

    value: PathSteps
    others: tuple[PathSteps, ...]


class PartCounts:
    """What was counted of the parts of one feature, where there is some part."""

    def __init__(self, others: int) -> None:
        self.missing_value = 0
        self.missing = [0] * others
        self.least: list[int | None] = [None] * others
        self.most: list[int | None] = [None] * others

    def add(self, batch: pa.RecordBatch, parts: Parts) -> None:
        """Add rows."""
        columns = _columns(batch, parts)
        some = np.logical_or.reduce([present for _, present in columns])
        (value_lengths, value_present), *others = columns
        self.missing_value += int(np.count_nonzero(some & ~value_present))
        for i, (lengths, present) in enumerate(others):
            self.missing[i] += int(np.count_nonzero(some & ~present))
            differences = (lengths - value_lengths)[some]
            if len(differences):
                self._widen(i, int(differences.min()), int(differences.max()))

    def _widen(self, index: int, low: int | None, high: int | None) -> None:
        least, most = self.least[index], self.most[index]
        if low is not None:
            self.least[index] = low if least is None else min(least, low)
        if high is not None:
            self.most[index] = high if most is None else max(most, high)

    def merge(self, other: "PartCounts") -> None:
        """Add the state of another one."""
        self.missing_value += other.missing_value
        for i, count in enumerate(other.missing):
            self.missing[i] += count
            self._widen(i, other.least[i], other.most[i])


_Column = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]


def _columns(batch: pa.RecordBatch, parts: Parts) -> list[_Column]:
    """Return each part's number of values and presence: by row, or by struct value inside of one."""
    found = {path: lists_at(batch, path) for path in (parts.value, *parts.others)}
    sizes = {len(column) for column in found.values() if column is not None}
    if len(sizes) > 1:
        raise ValueError(
            f"The parts of a sparse or weighted feature must be in the same struct. "
            f"Received: {['.'.join(path) for path in found]} with {sorted(sizes)} entries."
        )
    size = sizes.pop() if sizes else 0
    return [_lengths(column, size) for column in found.values()]


def _lengths(column: pa.Array | None, size: int) -> _Column:
    if column is None or pa.types.is_null(column.type):
        return np.zeros(size, np.int64), np.zeros(size, bool)
    present = valid_rows(column)
    lengths = np.where(present, to_numpy(column.value_lengths()), 0).astype(np.int64)
    return lengths, present


def _sparse_parts(container: _Container, parent: PathSteps) -> Iterator[tuple[PathSteps, Parts]]:
    for sparse in container.sparse_feature:
        indices = sorted((*parent, index.name) for index in sparse.index_feature)
        yield (*parent, sparse.name), Parts((*parent, sparse.value_feature.name), tuple(indices))
    for feature in container.feature:
        if feature.type == schema_pb2.STRUCT:
            yield from _sparse_parts(feature.struct_domain, (*parent, feature.name))


class _CompositeStats(CombinerStatsGenerator):
    def __init__(self, parts: dict[PathSteps, Parts]) -> None:
        self._parts = dict(sorted(parts.items()))

    def create_accumulator(self) -> dict[PathSteps, PartCounts]:
        return {path: PartCounts(len(parts.others)) for path, parts in self._parts.items()}

    def add_input(
        self, accumulator: dict[PathSteps, PartCounts], batch: pa.RecordBatch
    ) -> dict[PathSteps, PartCounts]:
        for path, parts in self._parts.items():
            accumulator[path].add(batch, parts)
        return accumulator

    def merge_accumulators(
        self, accumulators: Iterable[dict[PathSteps, PartCounts]]
    ) -> dict[PathSteps, PartCounts]:
        merged = self.create_accumulator()
        for accumulator in accumulators:
            for path, counts in accumulator.items():
                merged[path].merge(counts)
        return merged


class SparseFeatureStats(_CompositeStats):
    """For each sparse feature: rows without values or an index, and differences of their lengths.

    Args:
        schema: Its `sparse_feature`s are looked at, those of structs too.
    """

    def __init__(self, schema: schema_pb2.Schema) -> None:
        super().__init__(dict(_sparse_parts(schema, ())))

    def extract_output(
        self, accumulator: dict[PathSteps, PartCounts]
    ) -> statistics_pb2.DatasetFeatureStatistics:
        """Return the custom statistics that sparse features are checked by."""
        result = statistics_pb2.DatasetFeatureStatistics()
        for path, counts in accumulator.items():
            feature = result.features.add()
            feature.path.step.extend(path)
            feature.custom_stats.add(name="missing_value", num=counts.missing_value)
            for name, values in (
                ("missing_index", counts.missing),
                ("max_length_diff", counts.most),
                ("min_length_diff", counts.least),
            ):
                buckets = feature.custom_stats.add(name=name).rank_histogram.buckets
                for other, value in zip(self._parts[path].others, values, strict=True):
                    buckets.add(label=other[-1], sample_count=value or 0)
        return result


class WeightedFeatureStats(_CompositeStats):
    """For each weighted feature: rows without values or weights, and differences of their lengths.

    Args:
        schema: Its `weighted_feature`s are looked at.
    """

    def __init__(self, schema: schema_pb2.Schema) -> None:
        super().__init__(
            {
                (weighted.name,): Parts(
                    path_from_proto(weighted.feature),
                    (path_from_proto(weighted.weight_feature),),
                )
                for weighted in schema.weighted_feature
            }
        )

    def extract_output(
        self, accumulator: dict[PathSteps, PartCounts]
    ) -> statistics_pb2.DatasetFeatureStatistics:
        """Return the custom statistics that weighted features are checked by."""
        result = statistics_pb2.DatasetFeatureStatistics()
        for path, counts in accumulator.items():
            feature = result.features.add()
            feature.path.step.extend(path)
            feature.custom_stats.add(name="missing_weight", num=counts.missing[0])
            feature.custom_stats.add(name="missing_value", num=counts.missing_value)
            feature.custom_stats.add(name="min_weight_length_diff", num=counts.least[0] or 0)
            feature.custom_stats.add(name="max_weight_length_diff", num=counts.most[0] or 0)
        return result
