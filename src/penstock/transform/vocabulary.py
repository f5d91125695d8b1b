"""Vocabularies: merging counts, thresholds, top-k, order and the file.

Order and ties are TensorFlow Transform's: entries are sorted by (weight, token), largest first, or
by the token's SHA-1 when shuffled; `top_k` keeps the largest of the same order.
"""

from __future__ import annotations

import filecmp
import hashlib
import heapq
import os
from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_transform import analyzers

from penstock.io import TFRecordWriter

Entry = tuple[Any, Any]
"""A token with its weight before it: (3, b"Adelie"), or ((0.4, 3), b"Adelie") by mutual information."""


def prune(entries: Iterable[Entry], operation: Any) -> list[tuple[float, bytes]]:
    """Apply thresholds, `top_k` and coverage by key.

    Args:
        entries: the merged vocabulary.
        operation: `analyzer_nodes.VocabularyPrune`.
    """
    entries = list(entries)
    kept = _above_thresholds(
        entries,
        operation.frequency_threshold,
        operation.informativeness_threshold,
        operation.input_dtype,
    )
    if operation.top_k is not None:
        kept = heapq.nlargest(operation.top_k, kept)
        kept = kept or [analyzers.get_empy_vocabulary_dummy_value(operation.input_dtype)]
    if operation.key_fn is None:
        return kept
    covering = _above_thresholds(
        entries,
        operation.coverage_frequency_threshold,
        operation.coverage_informativeness_threshold,
        operation.input_dtype,
    )
    if operation.coverage_top_k is not None:
        by_key: dict[Any, list[tuple[float, bytes]]] = {}
        for weight, token in covering:
            by_key.setdefault(operation.key_fn(token), []).append((weight, token))
        covering = [
            entry
            for group in by_key.values()
            for entry in heapq.nlargest(operation.coverage_top_k, group)
        ]
    return list(dict.fromkeys([*kept, *covering]))


def _above_thresholds(
    entries: Iterable[Entry], frequency: float, informativeness: float, dtype: str
) -> list[tuple[float, bytes]]:
    kept: list[tuple[float, bytes]] = []
    for entry in entries:
        weight, token = entry
        if isinstance(weight, tuple):
            weight, count = weight
            if weight < informativeness:
                continue
            entry = weight, token
        else:
            count = weight
        if count < frequency:
            continue
        # There may be millions of entries: they are not copied where they stay what they are.
        kept.append(entry if dtype == tf.string.name else (weight, str(token).encode()))
    return kept


def write(
    entries: Sequence[Entry],
    reserved_tokens: Sequence[bytes] | None,
    operation: Any,
    directory: str,
) -> str:
    """Orders a vocabulary and writes it, one token a line or a record.

    Args:
        entries: weights and tokens, after `prune`.
        reserved_tokens: tokens that come first, in their own order, whether they occur or not.
        operation: `analyzer_nodes.VocabularyOrderAndWrite`.
        directory: where the file is written, under the name that the operation carries.

    Returns:
        The path of the file.

    Raises:
        ValueError: if another vocabulary has been written to the same file.
    """
    ordered = list(entries)
    if reserved_tokens is not None:
        taken = set(reserved_tokens)
        ordered = [entry for entry in ordered if entry[1] not in taken]
    if operation.fingerprint_shuffle:
        ordered.sort(key=lambda entry: hashlib.sha1(entry[1]).digest())
    elif not operation.input_is_sorted or reserved_tokens is not None:
        ordered.sort(reverse=True)
    if reserved_tokens is not None:
        ordered[:0] = [(-1, token) for token in reserved_tokens]
    ordered = ordered or [analyzers.get_empy_vocabulary_dummy_value(operation.input_dtype)]
    if operation.store_frequency:
        lines = [f"{weight} {tf.compat.as_str_any(token)}".encode() for weight, token in ordered]
    else:
        lines = [token for _, token in ordered]
    path = os.path.join(directory, operation.vocab_filename)
    if operation.file_format != "text":
        path += ".tfrecord.gz"
    written = path + ".new"
    if operation.file_format == "text":
        with open(written, "wb") as file:
            file.writelines(line + b"\n" for line in lines)
    else:
        with TFRecordWriter(written) as writer:
            writer.write_all(lines)
    if os.path.exists(path) and not filecmp.cmp(path, written, shallow=False):
        raise ValueError(
            "preprocessing_fn writes two different vocabularies to the file "
            f"{operation.vocab_filename!r}. Give each its own vocab_filename."
        )
    os.replace(written, path)
    return path
