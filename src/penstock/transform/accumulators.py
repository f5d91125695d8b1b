"""Folding batches into the accumulators of TensorFlow Transform's analyzers.

An accumulator is fed by `add`; its `state` is what the analyzer's merging operation takes, one a data
set: `[accumulator]` for a combiner, `{key: accumulator}` for one by key, `{token: weight}` for a
vocabulary. States of several data sets, or of an earlier run's cache, merge.
"""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from tensorflow_transform import analyzer_nodes, analyzers

_Ordering = analyzers._VocabOrderingType
MUTUAL_INFORMATION = (_Ordering.MUTUAL_INFORMATION, _Ordering.WEIGHTED_MUTUAL_INFORMATION)

Values = Sequence[np.ndarray[Any, Any]]


class Accumulator(Protocol):
    """What a pass over the data feeds."""

    def add(self, values: Values) -> None:
        """Folds the values of one batch."""

    @property
    def state(self) -> Any:
        """What has been accumulated."""


class CombinerAccumulator:
    """A `analyzer_nodes.Combiner` over whole batches."""

    def __init__(self, combiner: Any) -> None:
        self._combiner = combiner
        self._accumulator = combiner.create_accumulator()

    def add(self, values: Values) -> None:
        """Folds the values of one batch."""
        self._accumulator = self._combiner.add_input(self._accumulator, tuple(values))

    @property
    def state(self) -> list[Any]:
        """The accumulator, alone in a list."""
        return [self._combiner.compact(self._accumulator)]


class KeyedCombinerAccumulator:
    """A `analyzer_nodes.Combiner` for each key, over the rows of that key."""

    def __init__(self, combiner: Any) -> None:
        self._combiner = combiner
        self._by_key: dict[bytes, Any] = {}

    def add(self, values: Values) -> None:
        """Folds one batch, whose first array holds the key of each row."""
        keys, *columns = values
        if keys.ndim != 1 or any(len(column) != len(keys) for column in columns):
            raise ValueError(
                "An analyzer by key needs a vector of keys and arrays with the same number of rows. "
                f"Received shapes: {[value.shape for value in values]}"
            )
        combiner = self._combiner
        if isinstance(combiner, analyzers.QuantilesCombiner):
            self._add_groups(keys, columns)
            return
        for row, key in enumerate(keys.tolist()):
            accumulator = self._by_key.get(key)
            if accumulator is None:
                accumulator = combiner.create_accumulator()
            self._by_key[key] = combiner.add_input(accumulator, [column[row] for column in columns])

    def _add_groups(self, keys: np.ndarray[Any, Any], columns: Values) -> None:
        # A sketch takes many rows in one call; row by row would cost a Python call each.
        order = np.argsort(keys, kind="stable")
        distinct, starts = np.unique(keys[order], return_index=True)
        for key, rows in zip(distinct.tolist(), np.split(order, starts[1:]), strict=True):
            accumulator = self._by_key.get(key)
            if accumulator is None:
                accumulator = self._combiner.create_accumulator()
            self._by_key[key] = self._combiner.add_input(
                accumulator, [column[rows] for column in columns]
            )

    @property
    def state(self) -> dict[bytes, Any]:
        """The accumulators by key."""
        return {key: self._combiner.compact(value) for key, value in self._by_key.items()}


class TokenCounts:
    """How often each token of a vocabulary was seen, or the sum of its weights."""

    def __init__(self, weighted: bool) -> None:
        self._weighted = weighted
        self._counts: Counter[Any] = Counter()

    def add(self, values: Values) -> None:
        """Folds one batch of tokens, or of distinct tokens and their weights."""
        tokens = values[0].tolist()
        if not self._weighted:
            self._counts.update(tokens)
            return
        counts = self._counts
        for token, weight in zip(tokens, values[1].tolist(), strict=True):
            counts[token] += weight

    @property
    def state(self) -> dict[Any, Any]:
        """The counts by token."""
        return dict(self._counts)


class TokenLabelMeans:
    """For each token the weighted mean of the labels it occurs with: mutual information's input."""

    def __init__(self, ordering: int) -> None:
        self._weighted = ordering == _Ordering.WEIGHTED_MUTUAL_INFORMATION
        self._combiner = label_means_combiner(ordering)
        self._by_token: dict[Any, Any] = {}

    def add(self, values: Values) -> None:
        """Folds one batch of distinct tokens with their weights by label, and counts."""
        if self._weighted:
            tokens, weights, positives, counts = (value.tolist() for value in values)
        else:
            tokens, positives, counts = (value.tolist() for value in values)
            weights = itertools.repeat(None, len(tokens))
        for token, positive, weight, count in zip(tokens, positives, weights, counts, strict=True):
            batch = analyzers.WeightedMeanAndVarCombiner.accumulator_class(
                count=np.array(count),
                mean=np.array(positive) / (count if weight is None else weight),
                variance=np.array(0.0),
                weight=None if weight is None else weight / count,
            )
            accumulator = self._by_token.get(token)
            if accumulator is None:
                accumulator = self._combiner.create_accumulator()
            self._by_token[token] = self._combiner.add_input(accumulator, batch)

    @property
    def state(self) -> dict[Any, Any]:
        """The means by token."""
        extract = self._combiner.extract_output
        return {token: extract(accumulator) for token, accumulator in self._by_token.items()}


def label_means_combiner(ordering: int) -> Any:
    """Return the combiner behind vocabularies that are ordered by mutual information."""
    return analyzers.WeightedMeanAndVarCombiner(
        np.float32,
        output_shape=(None,),
        compute_variance=False,
        compute_weighted=ordering == _Ordering.WEIGHTED_MUTUAL_INFORMATION,
    )


def _vocabulary_accumulator(operation: Any) -> Accumulator:
    ordering = operation.vocab_ordering_type
    if ordering in MUTUAL_INFORMATION:
        return TokenLabelMeans(ordering)
    return TokenCounts(ordering == _Ordering.WEIGHTED_FREQUENCY)


_ACCUMULATORS: dict[type, Callable[[Any], Accumulator]] = {
    analyzer_nodes.CacheableCombineAccumulate: lambda op: CombinerAccumulator(op.combiner),
    analyzer_nodes.CacheableCombinePerKeyAccumulate: lambda op: KeyedCombinerAccumulator(
        op.combiner
    ),
    analyzer_nodes.VocabularyAccumulate: _vocabulary_accumulator,
}


def can_accumulate(operation: Any) -> bool:
    """Whether an operation that reads tensors is known here."""
    if getattr(operation, "vocab_ordering_type", None) == _Ordering.WEIGHTED_LABELS:
        return False
    return type(operation) in _ACCUMULATORS


def make_accumulator(operation: Any) -> Accumulator:
    """Return a fresh accumulator for an operation that `can_accumulate` accepts."""
    return _ACCUMULATORS[type(operation)](operation)


def merge_keyed(states: Iterable[dict[Any, Any]], merge: Callable[[list[Any]], Any]) -> Any:
    """Merge states by key; `merge` takes the accumulators of one key, at least one."""
    by_key: dict[Any, list[Any]] = {}
    for state in states:
        for key, value in state.items():
            by_key.setdefault(key, []).append(value)
    return {key: merge(values) for key, values in by_key.items()}


@contextlib.contextmanager
def missing_is_nan() -> Iterator[None]:
    """Silences NumPy where a column has no value: the combiners divide 0 by 0 there, for a NaN."""
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN (axis|slice) encountered", RuntimeWarning)
        yield
