"""Which slices each row of a batch belongs to, for all slicing specs at once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.evaluation.keys import SliceKey
from penstock.evaluation.slices.slicing_specs import key_value, value_matches
from penstock.spelling import nearest

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Membership:
    """Rows and the groups that they count in: row `rows[i]` is in group `groups[i]` of `count`."""

    rows: IntArray
    groups: IntArray
    count: int

    @cached_property
    def present(self) -> tuple[IntArray, IntArray]:
        """The groups that a batch's sums are made for, and the index of each entry's group among them.

        These are the groups with rows in the batch, or all groups where there are few. So a batch costs no
        more time when there are many slices.
        """
        if self.count <= len(self.groups):
            return np.arange(self.count), self.groups
        found, index = np.unique(self.groups, return_inverse=True)
        return found, index.reshape(-1)


class Slicer:
    """Assigns rows to slices, and remembers the slices that it met.

    A slice is numbered when its first row comes, so the number of slices grows from batch to batch.
    A row with several values of a feature is in the slice of each; a row without a value is in none.

    Args:
        specs: `SlicingSpec` messages. An empty spec is the whole data set.

    Example:
        >>> slicer = Slicer([SlicingSpec(), SlicingSpec(feature_keys=["island"])])
        >>> slicer.assign(record_batch).count
        4
    """

    def __init__(self, specs: Iterable[Any]) -> None:
        self.specs = [
            (tuple(dict.fromkeys(s.feature_keys)), dict(s.feature_values)) for s in specs
        ] or [((), {})]
        for keys, values in self.specs:
            if both := set(keys) & set(values):
                raise ValueError(
                    f"A slicing spec names {min(both)!r} in both feature_keys and feature_values; "
                    "use one of them."
                )
        names = [frozenset((*keys, *values)) for keys, values in self.specs]
        self._may_meet = len(set(names)) < len(names)
        self.keys: list[SliceKey] = []
        self._ids: dict[SliceKey, int] = {}

    @property
    def features(self) -> list[str]:
        """The features that the specs name."""
        names = (name for keys, values in self.specs for name in (*keys, *values))
        return list(dict.fromkeys(names))

    def check_features(self, available: Sequence[str]) -> None:
        """Raise a `ValueError` when a spec names a feature that is not in `available`."""
        for name in self.features:
            if name not in available:
                hint = nearest(name, available)
                raise ValueError(
                    f"A slicing spec names the feature {name!r}, which the examples do not have.{hint} "
                    f"Features: {', '.join(sorted(available))}"
                )

    def assign(self, batch: pa.RecordBatch) -> Membership:
        """Return the membership of a batch's rows.

        Args:
            batch: Columns of lists, a column a feature; other columns than the specs' are ignored.
        """
        rows, groups = [], []
        columns = {name: _distinct_values(batch, name) for name in self.features}
        for keys, values in self.specs:
            spec_rows, spec_groups = self._assign_spec(keys, values, columns, batch.num_rows)
            rows.append(spec_rows)
            groups.append(spec_groups)
        all_rows, all_groups = np.concatenate(rows), np.concatenate(groups)
        if self._may_meet:
            # Two specs of the same features may name the same slice; a row counts in it once.
            pairs = np.unique(all_rows * (len(self.keys) + 1) + all_groups)
            all_rows, all_groups = np.divmod(pairs, len(self.keys) + 1)
        return Membership(all_rows, all_groups, len(self.keys))

    def _assign_spec(
        self,
        keys: tuple[str, ...],
        values: dict[str, str],
        columns: dict[str, _Values],
        num_rows: int,
    ) -> tuple[IntArray, IntArray]:
        rows = np.arange(num_rows, dtype=np.int64)
        fixed: list[tuple[str, str | int | float]] = []
        for name, text in values.items():
            column = columns[name]
            matching = [i for i, v in enumerate(column.values) if value_matches(v, text)]
            rows = rows[np.isin(rows, column.rows[np.isin(column.codes, matching)])]
            if matching:
                fixed.append((name, key_value(text, column.values[matching[0]])))
        # What of the keys' values a row has, as one number, and the codes that each number stands for.
        combined = np.zeros(len(rows), dtype=np.int64)
        codes = np.zeros((1, 0), dtype=np.int64)
        for name in keys:
            rows, combined, added = _join(rows, combined, columns[name])
            size = max(len(columns[name].values), 1)
            found, combined = _distinct(combined * size + added, len(codes) * size)
            before, code = np.divmod(found, size)
            codes = np.column_stack([codes[before], code])
        if not len(rows):
            return rows, rows
        ids = np.empty(len(codes), dtype=np.int64)
        for i, combination in enumerate(codes.tolist()):
            pairs = [
                (name, columns[name].values[c]) for name, c in zip(keys, combination, strict=True)
            ]
            ids[i] = self._id(tuple(sorted(fixed + pairs)))
        return rows, ids[combined]

    def merge(self, keys: Iterable[SliceKey]) -> list[int]:
        """Return the numbers of slices that another slicer met, in its order."""
        return [self._id(key) for key in keys]

    def _id(self, key: SliceKey) -> int:
        if key not in self._ids:
            self._ids[key] = len(self.keys)
            self.keys.append(key)
        return self._ids[key]


@dataclass(frozen=True)
class _Values:
    """A column's distinct (row, value) pairs, values as codes, sorted by row."""

    rows: IntArray
    codes: IntArray
    values: list[str | int | float]
    is_single: bool = True
    """Whether no row has several values."""


def _distinct_values(batch: pa.RecordBatch, name: str) -> _Values:
    empty = np.empty(0, dtype=np.int64)
    index = batch.schema.get_field_index(name)
    if index < 0 or pa.types.is_null(batch.schema.field(index).type):
        return _Values(empty, empty, [])
    column = batch.column(index)
    rows = column.value_parent_indices().to_numpy(zero_copy_only=False).astype(np.int64)
    encoded = column.flatten().dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    values = encoded.dictionary.to_pylist()
    is_single = not bool((rows[1:] == rows[:-1]).any())
    if not is_single:
        # A row that has a value twice has it once.
        pairs = np.unique(rows * max(len(values), 1) + codes)
        rows, codes = np.divmod(pairs, max(len(values), 1))
    return _Values(rows, codes, [_text(name, value) for value in values], is_single)


def _text(name: str, value: Any) -> str | int | float:
    if not isinstance(value, bytes):
        # One object, since NaN equals no other; a key finds it as the same object.
        return math.nan if value != value else value
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"Cannot slice by {name!r}: the value {value!r} is not UTF-8.") from error


def _join(
    rows: IntArray, combined: IntArray, column: _Values
) -> tuple[IntArray, IntArray, IntArray]:
    """Crosses each entry of `rows` with the values that its row has in `column`.

    Returns:
        The rows, what they had been combined to, and the codes of their values.
    """
    if column.is_single and np.array_equal(rows, column.rows):
        return rows, combined, column.codes
    first = np.searchsorted(column.rows, rows, side="left")
    counts = np.searchsorted(column.rows, rows, side="right") - first
    entries = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(len(entries)) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows[entries], combined[entries], column.codes[first[entries] + within]


def _distinct(values: IntArray, below: int) -> tuple[IntArray, IntArray]:
    """Return the distinct values, ascending, and where among them each one is; all are `below`."""
    if below > 4 * len(values) + 1_000:
        found, index = np.unique(values, return_inverse=True)
        return found, index.reshape(-1)
    found = np.nonzero(np.bincount(values, minlength=below))[0]
    place = np.empty(below, dtype=np.int64)
    place[found] = np.arange(len(found))
    return found, place[values]
