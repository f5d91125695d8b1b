"""Ranking metrics, of queries and their documents.

Definitions follow TensorFlow Model Analysis 0.52: ndcg.py, min_label_position.py and query_statistics.py of
tensorflow_model_analysis/metrics.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from penstock.evaluation.kernels.queries import Queries, QueryRows
from penstock.evaluation.kernels.sums import FloatArray
from penstock.evaluation.metrics.registry import Computation, metric


def query_count() -> Computation:
    """Return what `ExampleCount` is where rows are grouped by query.

    As in TFMA, it is the number of queries; where weights apply, the sum of the documents' weights.
    """

    def value(rows: QueryRows) -> float:
        return float((rows.sizes * rows.weights).sum() if rows.weighted else len(rows.starts))

    return Computation((Queries, ()), value)


@metric("QueryStatistics")
def query_statistics() -> Computation:
    """Return how many queries and documents there are, and in the smallest and largest query."""

    def documents(rows: QueryRows) -> FloatArray:
        return np.asarray(rows.sizes * rows.weights)

    values: dict[str, Callable[[QueryRows], float]] = {
        "total_queries_name": lambda rows: float(rows.weights.sum()),
        "total_documents_name": lambda rows: float(documents(rows).sum()),
        "min_documents_name": lambda rows: float(documents(rows).min(initial=np.inf)),
        "max_documents_name": lambda rows: float(documents(rows).max(initial=0.0)),
    }
    parts = {name: Computation((Queries, ()), value) for name, value in values.items()}
    return Computation((Queries, ()), values["total_queries_name"], parts=parts)


def _mean(values: FloatArray, weights: FloatArray) -> float:
    total = weights.sum()
    return float((values * weights).sum() / total) if total > 0 else float("nan")


@metric("MinLabelPosition")
def min_label_position(label_key: str | None = None) -> Computation:
    """Return the mean rank of the first document with a positive label, over queries that have one."""

    def value(rows: QueryRows) -> float:
        labels = rows.features[label_key] if label_key else rows.labels
        positive = labels.astype(np.float64).reshape(len(labels), -1).sum(axis=1) > 0
        places = np.where(positive[rows.order_by(rows.scores)], rows.ranks, np.inf)
        first = np.minimum.reduceat(places, rows.starts) if len(rows.starts) else np.zeros(0)
        found = np.isfinite(first)
        return _mean(first[found], rows.weights[found])

    return Computation((Queries, (label_key,) if label_key else ()), value)


@metric("NDCG")
def ndcg(gain_key: str, top_k_list: list[int] | None = None) -> Computation:
    """Return the normalized discounted cumulative gain of the best `k` documents.

    The gain is a feature; a query without a positive gain does not count.
    """

    def of_rank(k: int) -> Computation:
        def value(rows: QueryRows) -> float:
            gains = rows.features[gain_key]
            discounts = np.where(rows.ranks <= k, 1.0 / np.log2(rows.ranks + 1.0), 0.0)
            reached = rows.sums(gains[rows.order_by(rows.scores)] * discounts)
            best = rows.sums(gains[rows.order_by(gains)] * discounts)
            shares = np.divide(reached, best, out=np.zeros_like(best), where=best > 0)
            largest = np.maximum.reduceat(gains, rows.starts) if len(rows.starts) else best
            return _mean(shares, np.where(largest > 0, rows.weights, 0.0))

        return Computation((Queries, (gain_key,)), value)

    return Computation((Queries, (gain_key,)), lambda rows: float("nan"), of_rank=of_rank)
