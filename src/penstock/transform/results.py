"""From accumulated state to the results of analyzers: merging, extracting, writing vocabularies.

The operations are nodes of TensorFlow Transform's analyzer graph (`tensorflow_transform.nodes`); this is
a second driver of that graph, next to the one for Beam.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_transform import analyzer_nodes, nodes, tf_utils

from penstock.transform import mutual_information, vocabulary
from penstock.transform.accumulators import (
    MUTUAL_INFORMATION,
    can_accumulate,
    label_means_combiner,
    merge_keyed,
)


class UnsupportedAnalyzerError(Exception):
    """An analyzer that only Beam can run, such as a user's own PTransform."""


class ResultVisitor(nodes.Visitor):  # type: ignore[misc]
    """Computes the outputs of operations from the states that were accumulated.

    Args:
        states: by the label of an accumulating operation, its state for each data set.
        graph: the traced graph, for reserved tokens that are tensors in it.
        directory: where vocabulary files are written.
    """

    def __init__(self, states: Mapping[str, Sequence[Any]], graph: Any, directory: str) -> None:
        self._states = states
        self._graph = graph
        self._directory = directory

    def visit(self, operation_def: Any, input_values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return outputs of one operation, given its inputs."""
        if isinstance(operation_def, analyzer_nodes.TensorSource):
            return (None,)
        if can_accumulate(operation_def):
            return (self._states[operation_def.label],)
        return _RESULTS[type(operation_def)](self, operation_def, *input_values)

    def validate_value(self, value: Any) -> None:
        """Every Python value is a result."""

    def _merge(self, operation: Any, states: Sequence[list[Any]]) -> tuple[Any, ...]:
        combiner = operation.combiner
        merged = combiner.merge_accumulators(
            [combiner.create_accumulator(), *(accumulator for (accumulator,) in states)]
        )
        return (combiner.extract_output(merged),)

    def _extract(self, operation: Any, outputs: Sequence[Any]) -> tuple[Any, ...]:
        if len(outputs) != operation.num_outputs:
            raise ValueError(
                f"The analyzer {operation.label} declares {operation.num_outputs} outputs, but "
                f"its combiner produced {len(outputs)}."
            )
        return tuple(outputs)

    def _merge_keyed(self, operation: Any, states: Sequence[dict[Any, Any]]) -> tuple[Any, ...]:
        combiner = operation.combiner
        merged = merge_keyed(
            states,
            lambda group: combiner.extract_output(
                combiner.merge_accumulators([combiner.create_accumulator(), *group])
            ),
        )
        return (merged,)

    def _format_keys(self, operation: Any, by_key: Mapping[bytes, Any]) -> tuple[Any, ...]:
        keys = sorted(by_key)
        infos = operation.combiner.output_tensor_infos()
        columns = [
            np.array([by_key[key][i] for key in keys], dtype=info.dtype.as_numpy_dtype)
            for i, info in enumerate(infos)
        ]
        return (np.array(keys, dtype=object), *columns)

    def _format_large(self, operation: Any, by_key: Mapping[bytes, Any]) -> tuple[Any, ...]:
        return (
            [
                (",".join(tf.compat.as_str_any(value) for value in values), key)
                for key, values in by_key.items()
            ],
        )

    def _merge_vocabulary(
        self, operation: Any, states: Sequence[dict[Any, Any]]
    ) -> tuple[Any, ...]:
        if operation.vocab_ordering_type in MUTUAL_INFORMATION:
            combiner = label_means_combiner(operation.vocab_ordering_type)
            means = merge_keyed(
                states,
                lambda group: combiner.extract_output(
                    combiner.merge_accumulators([combiner.create_accumulator(), *group])
                ),
            )
            return (mutual_information.score(means, operation),)
        merged = states[0] if len(states) == 1 else merge_keyed(states, sum)
        return ([(count, token) for token, count in merged.items()],)

    def _prune(self, operation: Any, entries: Any) -> tuple[Any, ...]:
        return (vocabulary.prune(entries, operation),)

    def _count(self, operation: Any, entries: Sequence[Any]) -> tuple[Any, ...]:
        # An empty vocabulary is written with one dummy entry.
        return (np.int64(max(len(entries), 1)),)

    def _order_and_write(self, operation: Any, entries: Any, *reserved: Any) -> tuple[Any, ...]:
        tokens = reserved[0] if reserved else None
        return (vocabulary.write(entries, tokens, operation, self._directory),)

    def _reserved_tokens(self, operation: Any) -> tuple[Any, ...]:
        tokens = tf_utils.fetch_vocabulary_reserved_tokens(self._graph, operation.name)
        return (list(tokens),)

    def _flatten_lists(self, operation: Any, *lists: Any) -> tuple[Any, ...]:
        return ([tuple(item) for items in lists for item in items],)

    def _key_buckets(self, operation: Any, boundaries: Any) -> tuple[Any, ...]:
        return join_boundaries(boundaries)


_RESULTS: dict[type, Callable[..., tuple[Any, ...]]] = {
    analyzer_nodes.CacheableCombineMerge: ResultVisitor._merge,
    analyzer_nodes.ExtractCombineMergeOutputs: ResultVisitor._extract,
    analyzer_nodes.CacheableCombinePerKeyMerge: ResultVisitor._merge_keyed,
    analyzer_nodes.CacheableCombinePerKeyFormatKeys: ResultVisitor._format_keys,
    analyzer_nodes.CacheableCombinePerKeyFormatLarge: ResultVisitor._format_large,
    analyzer_nodes.VocabularyMerge: ResultVisitor._merge_vocabulary,
    analyzer_nodes.VocabularyPrune: ResultVisitor._prune,
    analyzer_nodes.VocabularyCount: ResultVisitor._count,
    analyzer_nodes.VocabularyOrderAndWrite: ResultVisitor._order_and_write,
    analyzer_nodes.ExtractVocabularyReservedTokens: ResultVisitor._reserved_tokens,
    analyzer_nodes.FlattenLists: ResultVisitor._flatten_lists,
    analyzer_nodes.ScaleAndFlattenPerKeyBucketBouandaries: ResultVisitor._key_buckets,
}


def require_supported(operation: Any) -> None:
    """Check that an operation of the analyzer graph can run without Beam.

    Raises:
        UnsupportedAnalyzerError: if it cannot.
    """
    known = (
        isinstance(operation, analyzer_nodes.TensorSource)
        or can_accumulate(operation)
        or type(operation) in _RESULTS
    )
    if not known:
        raise UnsupportedAnalyzerError(
            f"the analyzer {operation.label} ({type(operation).__name__}) runs on Beam only"
        )


def join_boundaries(boundaries: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    """Join the bucket boundaries of many keys into one ascending vector.

    Each key's values are scaled and shifted so that key i occupies the interval from i to i + 1; the
    last boundary of a key is the first of the next.

    Args:
        boundaries: shape (keys, buckets - 1), ascending along each row.

    Returns:
        The joined boundaries, the scale and the shift by key, and the number of buckets of a key.
        Source: TensorFlow Transform's node ScaleAndFlattenPerKeyBucketBouandaries.
    """
    first = boundaries[:, :1]
    smallest = 1e-6 * (boundaries[:, -1:] - first)
    smallest = np.where(smallest <= 0, 1e-6, smallest)
    steps = np.maximum(np.diff(boundaries, axis=1), smallest)
    strict = np.concatenate([first, first + np.cumsum(steps, axis=1)], axis=1)

    low, high = strict.min(axis=1), strict.max(axis=1)
    width = high - low
    scale = np.divide(1.0, width, out=np.ones_like(width), where=width != 0)
    shift = np.arange(len(scale), dtype=np.float32) - low * scale
    scaled = strict[:, 1:] * scale[:, np.newaxis] + shift[:, np.newaxis]
    joined = np.insert(scaled.flatten(), 0, 0.0)
    return joined, scale, shift, np.array(strict.shape[1] + 1, dtype=np.int64)
