"""From an EvalConfig to what is computed: resolved models, metrics with their keys, shared kernels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from penstock.evaluation.kernels import LabelPredictionSums, View
from penstock.evaluation.keys import MetricKey, SubKey
from penstock.evaluation.metrics.modules import is_built_in
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


_COUNTS = ("ExampleCount", "WeightedExampleCount")


def plan_metrics(
    config: Any, modules: Mapping[str, ModuleType] | None = None
) -> list[PlannedMetric]:
    """Return every metric that a resolved EvalConfig asks for, without duplicates.

    Args:
        config: A resolved `EvalConfig` without problems.
        modules: User modules by the names that a `MetricConfig.module` may have; others are imported.

    Raises:
        ValueError: If a module has no such metric, or a combination is not supported.
    """
    planned: dict[MetricKey, PlannedMetric] = {}
    computations: dict[str, Computation] = {}
    for request in metric_requests(config):
        if request.key in planned:
            continue
        if request.place not in computations:
            computations[request.place] = computation_of(request.metric, modules or {})
        spec = config.metrics_specs[request.spec_index]
        metric = _planned(request, spec, computations[request.place])
        is_count = is_built_in(request.metric) and request.metric.class_name in _COUNTS
        planned[request.key] = replace(metric, has_interval=not is_count)
    return list(planned.values())


def views_of(metrics: Iterable[PlannedMetric]) -> set[tuple[str, str]]:
    """Return the models and outputs that metrics are computed of."""
    parts = (part for metric in metrics for _, part in metric.parts or ((1.0, metric),))
    return {(part.view.model_name, part.view.output_name) for part in parts}


def _planned(request: MetricRequest, spec: Any, computation: Computation) -> PlannedMetric:
    key = request.key
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
    )
    return PlannedMetric(key, computation, view)


def label_sums_view(view: View) -> tuple[Any, View]:
    """Return the kernel of weighted labels that a macro average's weights need."""
    return (LabelPredictionSums, ()), view
