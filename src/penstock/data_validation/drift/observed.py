"""Counting the values of rows in the parts of a reference: a kernel whose results can be merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from penstock.data_validation.drift.reference import FeatureReference

_NEW_VALUES = 10_000


class ObservedFeature:
    """What was seen of one feature.

    Args:
        reference: What its values are divided into.

    Attributes:
        counts: Values in each part of the reference.
        rows: Rows that were seen.
        missing: Rows without a value.
        new: Strings that the reference has no part for, with how often they were seen; the first
            10,000 different ones.
    """

    def __init__(self, reference: FeatureReference) -> None:
        self.reference = reference
        self.counts = np.zeros(len(reference.parts))
        self.rows = 0
        self.missing = 0
        self.new: Counter[str] = Counter()

    def add(self, column: pa.Array | None, rows: int) -> None:
        """Count a batch's column; None where the batch has no such column.

        Raises:
            TypeError: If the column's type is not that of the reference.
        """
        self.rows += rows
        if column is None or pa.types.is_null(column.type):
            self.missing += rows
            return
        values = column
        if _is_list(column.type):
            lengths = pc.fill_null(pc.list_value_length(column), 0)
            self.missing += pc.sum(pc.equal(lengths, 0)).as_py() or 0
            values = column.flatten()
        else:
            self.missing += column.null_count
        values = values.drop_null()
        if self.reference.edges is not None:
            self._count_numbers(values)
        elif self.reference.values:
            self._count_strings(values)

    def merge(self, other: Self) -> None:
        """Add what another one has seen of the same feature."""
        self.counts += other.counts
        self.rows += other.rows
        self.missing += other.missing
        for value, count in other.new.items():
            self._count_new(value, count)

    def _count_numbers(self, values: pa.Array) -> None:
        if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
            raise TypeError(
                f"The feature {self.reference.name!r} is a number in the training statistics. "
                f"Received: {values.type}"
            )
        numbers = values.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
        numbers = numbers[~np.isnan(numbers)]
        bins = np.searchsorted(np.asarray(self.reference.edges), numbers)
        self.counts += np.bincount(bins, minlength=len(self.counts))

    def _count_strings(self, values: pa.Array) -> None:
        if pa.types.is_floating(values.type):
            raise TypeError(
                f"The feature {self.reference.name!r} is a string in the training statistics. "
                f"Received: {values.type}"
            )
        if not pa.types.is_binary(values.type):
            # Integers that a schema calls categorical are counted as their text.
            values = values.cast(pa.string()).cast(pa.binary())
        places = {value: place for place, value in enumerate(self.reference.values)}
        for entry in pc.value_counts(values).to_pylist():
            place = places.get(entry["values"])
            if place is None:
                self.counts[-1] += entry["counts"]
                self._count_new(entry["values"].decode("utf-8", "replace"), entry["counts"])
            else:
                self.counts[place] += entry["counts"]

    def _count_new(self, value: str, count: int) -> None:
        if value in self.new or len(self.new) < _NEW_VALUES:
            self.new[value] += count


class ObservedRows:
    """What was seen of all features of some rows.

    Args:
        references: By feature.

    Example:
        >>> seen = ObservedRows(references)
        >>> for batch in split.batches():
        ...     seen.add(batch)
        >>> seen.features["fare"].counts
        array([12., 15., ...])
    """

    def __init__(self, references: Mapping[str, FeatureReference]) -> None:
        self.features = {name: ObservedFeature(each) for name, each in references.items()}
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch."""
        self.rows += batch.num_rows
        columns: dict[str, Any] = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name, feature in self.features.items():
            feature.add(columns.get(name), batch.num_rows)

    def merge(self, other: Self) -> None:
        """Add what another one has seen."""
        self.rows += other.rows
        for name, feature in self.features.items():
            feature.merge(other.features[name])


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))
