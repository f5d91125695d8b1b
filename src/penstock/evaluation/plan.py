"""From an EvalConfig to what is computed: resolved models, metrics with their keys, shared kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from penstock.evaluation.config import EvalConfig
from penstock.evaluation.kernels import LabelPredictionSums, View
from penstock.evaluation.keys import BASELINE, CANDIDATE, MetricKey, SubKey
from penstock.evaluation.metrics.registry import Computation, build_metric


@dataclass(frozen=True)
class PlannedMetric:
    """A metric value to compute in every slice.

    Args:
        key: What names the value.
        computation: How it comes about.
        view: Which labels and predictions it sees.
        parts: For a macro average, the metrics of the single classes and their weights.
        by_label: Whether the parts' weights are multiplied by the classes' weighted labels.
        config: The `MetricConfig` that asked for it.
    """

    key: MetricKey
    computation: Computation
    view: View
    parts: tuple[tuple[float, PlannedMetric], ...] = ()
    by_label: bool = False
    config: Any = field(default=None, compare=False)


def resolve_config(config: Any, *, has_baseline: bool) -> Any:
    """Returns a copy of an EvalConfig for the models that there are, as TFMA resolves it.

    With a baseline a single unnamed ModelSpec becomes `candidate` and `baseline`. Without one the
    baseline's ModelSpec and all change thresholds are dropped, and the model has no name.

    Args:
        config: An `EvalConfig`.
        has_baseline: Whether a baseline model is evaluated too.
    """
    resolved = EvalConfig()
    resolved.CopyFrom(config)
    specs = resolved.model_specs
    if not specs:
        specs.add()
    if has_baseline:
        if len(specs) == 1:
            specs.add().CopyFrom(specs[0])
            specs[0].name, specs[1].name = CANDIDATE, BASELINE
            specs[1].is_baseline = True
    else:
        candidates = [spec for spec in specs if not spec.is_baseline]
        del specs[:]
        specs.extend(candidates)
        for threshold in all_thresholds(resolved):
            threshold.ClearField("change_threshold")
        if len(specs) == 1:
            specs[0].name = ""
    names = [spec.name for spec in specs]
    if len(names) > 1 and (len(set(names)) < len(names) or "" in names):
        raise ValueError(f"Several ModelSpecs need a name each. Received: {names}")
    if sum(spec.is_baseline for spec in specs) > 1:
        raise ValueError(f"Only one ModelSpec may be the baseline. Received: {names}")
    for spec in resolved.metrics_specs:
        if not spec.model_names or len(names) == 1:
            del spec.model_names[:]
            spec.model_names.extend(names)
        elif unknown := set(spec.model_names) - set(names):
            raise ValueError(
                f"A MetricsSpec names the model {min(unknown)!r}. Models: {', '.join(names)}"
            )
    return resolved


def all_thresholds(config: Any) -> Iterator[Any]:
    """Yields every `MetricThreshold` in an EvalConfig."""
    for spec in config.metrics_specs:
        yield from spec.thresholds.values()
        for named in spec.per_slice_thresholds.values():
            yield from (entry.threshold for entry in named.thresholds)
        for cross in spec.cross_slice_thresholds.values():
            yield from (entry.threshold for entry in cross.thresholds)
        for metric in spec.metrics:
            if metric.HasField("threshold"):
                yield metric.threshold
            yield from (entry.threshold for entry in metric.per_slice_thresholds)
            yield from (entry.threshold for entry in metric.cross_slice_thresholds)


def has_change_thresholds(config: Any) -> bool:
    """Returns whether any threshold compares with a baseline."""
    return any(threshold.HasField("change_threshold") for threshold in all_thresholds(config))


def plan_metrics(config: Any) -> list[PlannedMetric]:
    """Returns every metric that a resolved EvalConfig asks for, without duplicates.

    Raises:
        ValueError: If a metric or an argument does not exist, or a combination is not supported.
    """
    planned: dict[MetricKey, PlannedMetric] = {}
    for spec in config.metrics_specs:
        if spec.query_key:
            raise ValueError(
                f"query_key={spec.query_key!r}: query-based (ranking) metrics are not supported yet."
            )
        for metric_config in spec.metrics:
            name, computation = build_metric(metric_config.class_name, metric_config.config)
            for metric in _plan_metric(config, spec, name, computation):
                planned[metric.key] = replace(metric, config=metric_config)
    if not planned:
        raise ValueError("The EvalConfig asks for no metric: metrics_specs has no metrics.")
    if config.options.compute_confidence_intervals.value:
        raise ValueError(
            "options.compute_confidence_intervals: confidence intervals are not supported yet. "
            "Leave it out."
        )
    return list(planned.values())


def _plan_metric(
    config: Any, spec: Any, name: str, computation: Computation
) -> Iterator[PlannedMetric]:
    for model_name in spec.model_names or [""]:
        for output_name in spec.output_names or [""]:
            for weighted in _weightings(config, spec, model_name, output_name):
                base = MetricKey(name, model_name, output_name, example_weighted=weighted)
                for sub_key in _sub_keys(spec, name, computation):
                    key = replace(base, sub_key=sub_key)
                    yield _single(key, computation, aggregated=False)
                if spec.HasField("aggregate"):
                    yield from _aggregates(spec, base, computation)


def _single(
    key: MetricKey,
    computation: Computation,
    aggregated: bool,
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


def _sub_keys(spec: Any, name: str, computation: Computation) -> list[SubKey | None]:
    binarize = spec.binarize
    keys: list[SubKey | None] = [SubKey(class_id=v) for v in binarize.class_ids.values]
    keys += [SubKey(k=v) for v in binarize.k_list.values]
    keys += [SubKey(top_k=v) for v in binarize.top_k_list.values]
    own = SubKey(class_id=computation.class_id, top_k=computation.top_k)
    if own != SubKey():
        if keys or spec.HasField("aggregate"):
            raise ValueError(
                f"The metric {name} is for {own}, and its MetricsSpec binarizes or aggregates too; "
                "set one of them."
            )
        return [own]
    if not keys and spec.HasField("aggregate"):
        return []
    return keys or [None]


def _aggregates(spec: Any, base: MetricKey, computation: Computation) -> Iterator[PlannedMetric]:
    kind = spec.aggregate.WhichOneof("type")
    weights = tuple(sorted(spec.aggregate.class_weights.items()))
    top_ks = list(spec.aggregate.top_k_list.values)
    if kind is None:
        raise ValueError(
            "An AggregationOptions needs micro_average, macro_average or weighted_macro_average."
        )
    if weights and top_ks:
        raise ValueError("class_weights and top_k_list exclude each other.")
    if not computation.supports_aggregation:
        return
    sub_keys: list[SubKey | None] = [SubKey(top_k=k) for k in top_ks]
    for sub_key in sub_keys or [None]:
        key = replace(base, sub_key=sub_key, aggregation=kind)
        if kind == "micro_average":
            yield _single(key, computation, True, weights)
            continue
        if computation.is_structured:
            raise ValueError(
                f"{base.name} is no number and has no {kind}; put it into a MetricsSpec apart."
            )
        if sub_key is not None and sub_key.top_k is not None:
            parts = [(1.0, SubKey(k=i + 1)) for i in range(sub_key.top_k)]
        elif weights:
            parts = [(weight, SubKey(class_id=i)) for i, weight in weights]
        else:
            raise ValueError(
                f"{kind} of {base.name} needs class_weights (which classes, and how much each counts) "
                "or a top_k_list."
            )
        yield PlannedMetric(
            key,
            computation,
            View(),
            tuple(
                (weight, _single(replace(base, sub_key=part), computation, False))
                for weight, part in parts
            ),
            by_label=kind == "weighted_macro_average",
        )


def _weightings(config: Any, spec: Any, model_name: str, output_name: str) -> list[bool]:
    if spec.HasField("example_weights"):
        options = spec.example_weights
        return [True] * options.weighted + [False] * options.unweighted or [False]
    for model_spec in config.model_specs:
        if model_spec.name == model_name and (
            model_spec.example_weight_key or output_name in model_spec.example_weight_keys
        ):
            return [True]
    return [False]


def label_sums_view(view: View) -> tuple[Any, View]:
    """Returns the kernel of weighted labels that a macro average's weights need."""
    return (LabelPredictionSums, ()), view
