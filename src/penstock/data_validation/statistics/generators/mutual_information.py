"""Mutual information of each feature with a label, from a bounded sample of the rows.

Numbers are put into equally full bins and counted like categories (the plug-in estimate, in bits); what
the same estimate finds after shuffling, which is chance, is taken off.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.statistics.generators.base import (
    CombinerStatsGenerator,
    column_at,
    is_text,
    leaves_of,
)
from penstock.io.arrow.arrays import to_numpy

_Codes = npt.NDArray[np.int64]
_SHUFFLES = 3


class MutualInformation(CombinerStatsGenerator):
    """Adds the custom statistic `adjusted_mutual_information` to each feature.

    Give it as `StatsOptions(generators=[MutualInformation("label")])`. Of features with several
    values per row the first one counts; a missing value is a category of its own.

    Args:
        label_feature: The label.
        max_rows: How many rows to look at: the first ones of each part of the data.
        bins: Into how many bins numbers are put.
        seed: Seed of the shuffles.

    Raises:
        ValueError: If a number is below 2.
    """

    def __init__(
        self, label_feature: str, *, max_rows: int = 100_000, bins: int = 16, seed: int = 0
    ) -> None:
        if bins < 2 or max_rows < 2:
            raise ValueError(f"bins and max_rows must be 2 or more. Received: {bins}, {max_rows}")
        self._label = label_feature
        self._max_rows = max_rows
        self._bins = bins
        self._seed = seed

    def create_accumulator(self) -> list[pa.RecordBatch]:
        """Return no rows."""
        return []

    def add_input(
        self, accumulator: list[pa.RecordBatch], batch: pa.RecordBatch
    ) -> list[pa.RecordBatch]:
        """Keep rows while there is room."""
        room = self._max_rows - sum(kept.num_rows for kept in accumulator)
        if room > 0 and batch.num_rows:
            accumulator.append(batch.slice(0, room))
        return accumulator

    def merge_accumulators(
        self, accumulators: Iterable[list[pa.RecordBatch]]
    ) -> list[pa.RecordBatch]:
        """Keep of each part the same share."""
        parts = [part for part in accumulators if part]
        rows = sum(batch.num_rows for part in parts for batch in part)
        share = min(1.0, self._max_rows / rows) if rows else 1.0
        return [
            batch.slice(0, max(1, int(batch.num_rows * share))) for part in parts for batch in part
        ]

    def extract_output(
        self, accumulator: list[pa.RecordBatch]
    ) -> statistics_pb2.DatasetFeatureStatistics:
        """Return the statistic of every feature but the label."""
        result = statistics_pb2.DatasetFeatureStatistics()
        names = sorted({name for batch in accumulator for name in batch.schema.names})
        if self._label not in names:
            raise ValueError(
                f"The label feature {self._label!r} is not in the data. Features: {names}"
            )
        label = self._codes(accumulator, self._label)
        if label is None:
            return result
        random = np.random.default_rng(self._seed)
        for name in names:
            codes = self._codes(accumulator, name)
            if name == self._label or codes is None:
                continue
            # In an order that does not depend on the order of the parts.
            ordered, by = codes[order := np.lexsort((label, codes))], label[order]
            by_chance = [_information(random.permutation(ordered), by) for _ in range(_SHUFFLES)]
            adjusted = max(0.0, _information(codes, label) - float(np.mean(by_chance)))
            feature = result.features.add()
            feature.path.step.append(name)
            feature.custom_stats.add(name="adjusted_mutual_information", num=adjusted)
        return result

    def _codes(self, batches: list[pa.RecordBatch], name: str) -> _Codes | None:
        """Return a category for each row; None for structs."""
        texts: dict[Any, int] = {}
        numbers: list[npt.NDArray[np.float64]] = []
        coded: list[_Codes] = []
        for batch in batches:
            column = column_at(batch, (name,))
            rows = np.full(batch.num_rows, -1, np.int64)
            values = np.full(batch.num_rows, np.nan)
            if column is not None:
                leaves, owners = leaves_of(column)
                _, first = np.unique(owners, return_index=True)
                if pa.types.is_struct(leaves.type):
                    return None
                if is_text(leaves.type):
                    picked = leaves.take(pa.array(first)).to_pylist()
                    rows[owners[first]] = [texts.setdefault(value, len(texts)) for value in picked]
                elif len(first):
                    values[owners[first]] = to_numpy(leaves)[first].astype(np.float64)
            coded.append(rows)
            numbers.append(values)
        if texts:
            # The last entry is for -1, a missing value.
            rank_of = np.append(np.argsort(np.argsort(np.array(list(texts), object))), -1)
            return np.asarray(rank_of[np.concatenate(coded)], np.int64)
        every = np.concatenate(numbers)
        known = ~np.isnan(every)
        codes = np.full(len(every), -1, np.int64)
        distinct = np.unique(every[known])
        if len(distinct) > self._bins:
            finite = distinct[np.isfinite(distinct)]
            within = np.clip(every[known], finite[0], finite[-1])  # quantiles of infinity are NaN
            distinct = np.unique(np.quantile(within, np.linspace(0, 1, self._bins + 1)[:-1]))
        if len(distinct):
            codes[known] = np.searchsorted(distinct, every[known], side="right")
        return codes


def _information(a: _Codes, b: _Codes) -> float:
    """Mutual information of two columns of categories, in bits."""
    _, a = np.unique(a, return_inverse=True)
    kinds, b = np.unique(b, return_inverse=True)
    joint = np.bincount(a * len(kinds) + b) / len(a)
    share_a, share_b = np.bincount(a) / len(a), np.bincount(b) / len(b)
    seen = np.flatnonzero(joint)
    expected = share_a[seen // len(kinds)] * share_b[seen % len(kinds)]
    return float(np.sum(joint[seen] * np.log2(joint[seen] / expected)))
