"""Thresholds: which apply, what each said in which slice, and whether the model passes.

The rules are TFMA's (tensorflow_model_analysis/evaluators/metrics_validator.py), with one addition: a
threshold that `MetricsSpec.thresholds` sets by name applies to the metric of that name, weighted or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from penstock.evaluation.config import MetricDirection, SlicingSpec
from penstock.evaluation.keys import MetricKey, slice_name
from penstock.evaluation.plan import PlannedMetric, has_change_thresholds
from penstock.evaluation.slicing_specs import spec_matches
from penstock.evaluation.verdict import ThresholdCheck, Validation, bounds_of
from penstock.spelling import nearest

if TYPE_CHECKING:
    from penstock.evaluation.engine import SliceResult


@dataclass(frozen=True)
class PlannedThreshold:
    """A threshold on one metric of the evaluated model.

    Args:
        key: The metric; a change threshold's is the difference to the baseline.
        spec: The `SlicingSpec` whose slices it applies to; None for the slices of all specs.
        threshold: A `GenericValueThreshold` or `GenericChangeThreshold`.
    """

    key: MetricKey
    spec: Any
    threshold: Any

    @property
    def is_change(self) -> bool:
        """Whether it compares with the baseline."""
        return self.key.is_diff


def planned_thresholds(config: Any, metrics: Sequence[PlannedMetric]) -> list[PlannedThreshold]:
    """Returns the thresholds of a resolved EvalConfig.

    Raises:
        ValueError: If a threshold is on a metric that is not computed, or without slices, a bound or a
            direction.
    """
    baselines = {spec.name for spec in config.model_specs if spec.is_baseline}
    candidates = [m for m in metrics if m.key.model_name not in baselines]
    found: dict[Any, PlannedThreshold] = {}
    for keys, spec, threshold in _each_threshold(config, candidates):
        for planned in _split(keys, spec, threshold):
            spec_bytes = None if spec is None else spec.SerializeToString(deterministic=True)
            identity = (planned.key, spec_bytes, planned.threshold.SerializeToString())
            found.setdefault(identity, planned)
    return list(found.values())


def _each_threshold(
    config: Any, metrics: Sequence[PlannedMetric]
) -> Iterator[tuple[list[MetricKey], Any, Any]]:
    for spec in config.metrics_specs:
        for name, threshold in spec.thresholds.items():
            yield _named(name, spec, metrics), None, threshold
        for name, per_slice in spec.per_slice_thresholds.items():
            for entry in per_slice.thresholds:
                for slicing_spec in _specs(name, entry):
                    yield _named(name, spec, metrics), slicing_spec, entry.threshold
        if spec.cross_slice_thresholds or any(m.cross_slice_thresholds for m in spec.metrics):
            raise ValueError("cross_slice_thresholds are not supported yet.")
    for metric in metrics:
        if metric.config.HasField("threshold"):
            yield [metric.key], None, metric.config.threshold
        for entry in metric.config.per_slice_thresholds:
            for slicing_spec in _specs(metric.key.name, entry):
                yield [metric.key], slicing_spec, entry.threshold


def _specs(name: str, entry: Any) -> Any:
    if not entry.slicing_specs:
        raise ValueError(f"A per-slice threshold on {name!r} names no slicing_specs.")
    return entry.slicing_specs


def _named(name: str, spec: Any, metrics: Sequence[PlannedMetric]) -> list[MetricKey]:
    keys = [
        metric.key
        for metric in metrics
        if metric.key.name == name
        and metric.key.model_name in spec.model_names
        and (not spec.output_names or metric.key.output_name in spec.output_names)
    ]
    if not keys:
        known = sorted({metric.key.name for metric in metrics})
        hint = nearest(name, known)
        raise ValueError(
            f"A threshold is on the metric {name!r}, which is not computed.{hint} "
            f"Computed: {', '.join(known)}"
        )
    return keys


def _split(keys: list[MetricKey], spec: Any, threshold: Any) -> Iterator[PlannedThreshold]:
    for key in keys:
        if threshold.HasField("value_threshold"):
            yield PlannedThreshold(key, spec, threshold.value_threshold)
        if threshold.HasField("change_threshold"):
            change = threshold.change_threshold
            if change.direction == MetricDirection.UNKNOWN:
                raise ValueError(
                    f"The change threshold on {key.name!r} needs a direction: "
                    "HIGHER_IS_BETTER or LOWER_IS_BETTER."
                )
            yield PlannedThreshold(key.diff(), spec, change)


def check_thresholds(
    config: Any,
    requested: Any,
    thresholds: Sequence[PlannedThreshold],
    slices: Sequence[SliceResult],
) -> Validation:
    """Checks every threshold in every slice that it applies to.

    Args:
        config: The resolved EvalConfig.
        requested: The EvalConfig as given.
        thresholds: From `planned_thresholds`.
        slices: The results.
    """
    baseline = next((spec.name for spec in config.model_specs if spec.is_baseline), None)
    checks, missing = [], []
    for planned in thresholds:
        matching = [
            result
            for result in slices
            if planned.spec is None or spec_matches(planned.spec, result.key)
        ]
        checks += [_check(planned, result, baseline) for result in matching]
        if not matching and planned.spec not in missing:
            missing.append(planned.spec if planned.spec is not None else SlicingSpec())
    dropped = has_change_thresholds(requested) and baseline is None
    none_set = not thresholds and not dropped
    ok = not none_set and not missing and all(check.passed for check in checks)
    return Validation(ok, checks, missing, none_set, dropped)


def _check(planned: PlannedThreshold, result: SliceResult, baseline: str | None) -> ThresholdCheck:
    found = result.metrics.get(planned.key)
    key = replace(planned.key, is_diff=False)
    value, change, reference = _float(result.metrics.get(key)), None, None
    bounds, direction = bounds_of(planned.threshold), ""
    passed = False
    if planned.is_change:
        higher = planned.threshold.direction == MetricDirection.HIGHER_IS_BETTER
        direction = "higher is better" if higher else "lower is better"
        change = _float(found)
        reference = _float(result.metrics.get(key.of_model(baseline))) if baseline else None
        if change is not None:
            relative = float("nan")
            if reference is not None and not math.isclose(reference, 0.0):
                relative = change / reference
            passed = _change_holds(bounds, change, relative, direction)
    elif value is not None:
        passed = bounds.get("lower", -math.inf) <= value <= bounds.get("upper", math.inf)
    return ThresholdCheck(
        metric=key.label(),
        slice=slice_name(result.key),
        num_examples=result.num_examples,
        passed=passed,
        value=value,
        bounds=bounds,
        change=change,
        baseline=reference,
        direction=direction,
        error=result.error,
        key=planned.key,
        slice_key=result.key,
        threshold=planned.threshold,
        spec=planned.spec,
    )


def _float(value: Any) -> float | None:
    return value if isinstance(value, float) else None


def _change_holds(bounds: dict[str, float], change: float, ratio: float, direction: str) -> bool:
    sign = 1.0 if direction == "higher is better" else -1.0
    absolute = "absolute" not in bounds or sign * change >= sign * bounds["absolute"]
    relative = "relative" not in bounds or sign * ratio >= sign * bounds["relative"]
    return absolute and relative
