"""From an EvalConfig to what is computed: resolved models, metrics with their keys, shared kernels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from penstock.evaluation.by_tfma.left_metrics import is_left
from penstock.evaluation.kernels.queries import Queries, RowsOfQueries
from penstock.evaluation.kernels.sums import LabelPredictionSums, View
from penstock.evaluation.keys import MetricKey, SubKey
from penstock.evaluation.metrics.modules import COUNTS, declaration_of
from penstock.evaluation.metrics.registry import Computation
from penstock.evaluation.metrics.user_metrics import computation_of
from penstock.evaluation.requested_metrics import MetricRequest, metric_requests


@dataclass(frozen=True)
class PlannedMetric:
    """A metric value to compute in every slice.

    Args:
        key: What names the value.
        computation: How it comes about.
        view: Which labels and predictions it sees.
        parts: For an average over classes or outputs, their single metrics and weights.
        by_label: Whether the parts' weights are multiplied by the classes' weighted labels.
        has_interval: Whether more data could make it another value; a count has no interval.
    """

    key: MetricKey
    computation: Computation
    view: View
    parts: tuple[tuple[float, PlannedMetric], ...] = ()
    by_label: bool = False
    has_interval: bool = True


def plan_metrics(
    config: Any, modules: Mapping[str, ModuleType] | None = None
) -> list[PlannedMetric]:
    """Return every metric that a resolved EvalConfig asks for, without duplicates and what is left to TFMA.

    Args:
        config: A resolved `EvalConfig` without problems.
        modules: User modules by the names that a `MetricConfig.module` may have; others are imported.

    Raises:
        ValueError: If a module has no such metric, or a combination is not supported.
    """
    planned: dict[MetricKey, PlannedMetric] = {}
    computations: dict[str, Computation] = {}
    baseline = next((spec.name for spec in config.model_specs if spec.is_baseline), None)
    for request in metric_requests(config):
        declaration = declaration_of(request.metric)
        compares = declaration is not None and declaration.compares
        if request.key in planned or (compares and baseline is None):
            continue
        if is_left(request.metric, modules or {}):
            continue
        spec = config.metrics_specs[request.spec_index]
        if request.place not in computations:
            computations[request.place] = computation_of(
                request.metric, modules or {}, spec.query_key
            )
        computation = computations[request.place]
        if request.part:
            computation = computation.parts[request.part]
        metric = _planned(request, spec, computation)
        if compares:
            metric = replace(metric, view=replace(metric.view, baseline=baseline))
        if declaration is not None and declaration.is_single:
            first = config.model_specs[0].name
            metric = replace(metric, view=replace(metric.view, model_name=first))
        is_count = declaration is not None and request.metric.class_name in COUNTS
        planned[request.key] = replace(metric, has_interval=not is_count)
    return list(planned.values())


def views_of(metrics: Iterable[PlannedMetric]) -> set[tuple[str, str]]:
    """Return the models and outputs that metrics are computed of."""
    parts = (part for metric in metrics for _, part in metric.parts or ((1.0, metric),))
    return {(part.view.model_name, part.view.output_name) for part in parts}


def _planned(request: MetricRequest, spec: Any, computation: Computation) -> PlannedMetric:
    key = request.key
    if spec.query_key:
        if computation.of_rank is not None:
            computation = computation.of_rank(key.sub_key.top_k)  # type: ignore[union-attr,arg-type]
        if computation.kernel[0] is not Queries:
            # A metric of rows is of all rows of the queries.
            computation = replace(computation, kernel=(RowsOfQueries, computation.kernel))
        view = View(
            key.model_name,
            key.output_name,
            weighted=key.example_weighted,
            query_key=spec.query_key,
        )
        return PlannedMetric(key, computation, view)
    if request.averages_outputs:
        parts = tuple(
            (weight, _single(replace(key, output_name=output), computation))
            for output, weight in sorted(spec.output_weights.items())
        )
        return PlannedMetric(key, computation, View(), parts)
    if key.aggregation == "micro_average":
        weights = tuple(sorted(spec.aggregate.class_weights.items()))
        return _single(key, computation, aggregated=True, class_weights=weights)
    if key.aggregation is None:
        return _single(key, computation)
    if key.sub_key is not None and key.sub_key.top_k is not None:
        classes = [(1.0, SubKey(k=i + 1)) for i in range(key.sub_key.top_k)]
    else:
        classes = [(w, SubKey(class_id=i)) for i, w in sorted(spec.aggregate.class_weights.items())]
    single = replace(key, aggregation=None)
    parts = tuple((w, _single(replace(single, sub_key=part), computation)) for w, part in classes)
    by_label = key.aggregation == "weighted_macro_average"
    return PlannedMetric(key, computation, View(), parts, by_label)


def _single(
    key: MetricKey,
    computation: Computation,
    aggregated: bool = False,
    class_weights: tuple[tuple[int, float], ...] = (),
) -> PlannedMetric:
    if key.sub_key is not None and key.sub_key.top_k is not None:
        computation = computation.for_top_k or computation
    view = View(
        key.model_name,
        key.output_name,
        key.sub_key,
        aggregated,
        class_weights,
        key.example_weighted,
        raw=computation.raw,
        rows_only=computation.labels == "rows",
    )
    return PlannedMetric(key, computation, view)


def label_sums_view(view: View) -> tuple[Any, View]:
    """Return the kernel of weighted labels that a macro average's weights need."""
    return (LabelPredictionSums, ()), view
