"""Values that are there and say nothing: empty strings, -1 and empty inner lists."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.path_steps import PathSteps
from penstock.data_validation.statistics.generators.base import (
    CombinerFeatureStatsGenerator,
    is_text,
    leaves_of,
)
from penstock.io.arrow.arrays import to_numpy


class EmptyValueCounter(CombinerFeatureStatsGenerator):
    """Adds custom statistics with the number of empty values of each feature.

    `str_empty` counts empty strings, `int_-1` counts -1, and `list_empty` counts empty lists within
    lists. What does not occur is left out. Give it as `StatsOptions(generators=[EmptyValueCounter()])`.
    """

    def create_accumulator(self) -> Counter[str]:
        """Return no counts."""
        return Counter()

    def add_input(
        self, accumulator: Counter[str], path: PathSteps, array: pa.Array
    ) -> Counter[str]:
        """Add a column."""
        if pa.types.is_null(array.type):
            return accumulator
        if pa.types.is_nested(array.type.value_type) and not pa.types.is_struct(
            array.type.value_type
        ):
            lengths = to_numpy(array.flatten().value_lengths().drop_null())
            accumulator["list_empty"] += int(np.count_nonzero(lengths == 0))
            return accumulator
        values = leaves_of(array).values
        if is_text(values.type):
            empty = pc.sum(pc.equal(pc.binary_length(values), 0)).as_py() or 0
            accumulator["str_empty"] += empty
        elif pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
            accumulator["int_-1"] += int(np.count_nonzero(to_numpy(values) == -1))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Counter[str]]) -> Counter[str]:
        """Add up."""
        merged: Counter[str] = Counter()
        for accumulator in accumulators:
            merged.update(accumulator)
        return merged

    def extract_output(self, accumulator: Counter[str]) -> statistics_pb2.FeatureNameStatistics:
        """Return the counts that are not 0."""
        result = statistics_pb2.FeatureNameStatistics()
        for name, count in sorted(accumulator.items()):
            if count:
                result.custom_stats.add(name=name, num=count)
        return result
