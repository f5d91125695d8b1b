"""Vocabularies ordered by the mutual information of a token with the label.

For a token x and labels y, with weighted counts n: the sum over y of
`n_xy * log2(n * n_xy / (n_x * n_y))`; adjusted, the value expected by chance is subtracted. Source:
Vinh, Epps, Bailey: Information theoretic measures for clusterings comparison, ICML 2009, and
TensorFlow Transform's `info_theory`, which computes the terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow_transform import analyzers, info_theory, tf_utils

from penstock.transform.vocabulary import Entry

_SENTINELS = (tf_utils.GLOBAL_Y_COUNT_SENTINEL_STRING, tf_utils.GLOBAL_Y_COUNT_SENTINEL_INT)
_EPSILON = 1e-6


def score(label_means: Mapping[Any, Any], operation: Any) -> list[Entry]:
    """Score the tokens of a vocabulary.

    Args:
        label_means: weighted mean of the labels by token, with the sentinel token that stands for
            all rows, as `TokenLabelMeans` accumulates them.
        operation: `analyzer_nodes.VocabularyMerge`.

    Returns:
        ((mutual information, weighted count), token) for each token.

    Raises:
        ValueError: if a token occurs more often than there are rows.
    """
    tokens = dict(label_means)
    everything = [tokens.pop(sentinel) for sentinel in _SENTINELS if sentinel in tokens]
    if not everything:
        return []
    (overall,) = everything
    least = operation.min_diff_from_avg
    if least is None:
        least = analyzers.calculate_recommended_min_diff_from_avg(overall.count * overall.weight)
    return [
        (_score_token(token, means, overall, operation.use_adjusted_mutual_info, least), token)
        for token, means in tokens.items()
    ]


def _score_token(
    token: Any, means: Any, overall: Any, adjusted: bool, least_difference: float
) -> tuple[float, float]:
    total = overall.count * overall.weight
    occurrences = means.count * means.weight
    if total == 0:
        return float("nan"), 0
    if round(occurrences) == round(total):
        return 0, occurrences
    if round(occurrences) > round(total):
        raise ValueError(
            f"The token {token!r} occurs {occurrences} times in {total} rows. A vocabulary by mutual "
            "information needs each token at most once per row: remove duplicates with "
            "tft.deduplicate_tensor_per_row."
        )
    information = 0.0
    for label, label_count in enumerate(overall.mean * overall.weight * overall.count):
        if label_count == 0:
            continue
        mean = means.mean[label] if label < len(means.mean) else 0
        both = min(max(mean, _EPSILON), 1 - _EPSILON) * means.weight * means.count
        if abs(occurrences * label_count / total - both) < least_difference:
            continue
        information += info_theory.calculate_partial_mutual_information(
            both, occurrences, label_count, total
        )
        if adjusted:
            information -= info_theory.calculate_partial_expected_mutual_information(
                total, occurrences, label_count
            )
    return information, occurrences
