"""Thresholds: which apply, what each said in which slice, and whether the model passes.

The rules are TFMA's (tensorflow_model_analysis/evaluators/metrics_validator.py), with one addition: a
threshold that `MetricsSpec.thresholds` sets by name applies to the metric of that name, weighted or not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.evaluation.config import MetricDirection, SlicingSpec
from penstock.evaluation.keys import MetricKey
from penstock.evaluation.requested_metrics import metric_requests, threshold_requests
from penstock.evaluation.resolve import baseline_names, has_change_thresholds
from penstock.evaluation.slices.cross_slices import (
    CrossSliceResult,
    cross_spec_matches,
    is_cross_slice,
)
from penstock.evaluation.slices.slicing_specs import spec_matches
from penstock.evaluation.verdict import ThresholdCheck, Validation, bounds_of

if TYPE_CHECKING:
    from penstock.evaluation.slices.results import SliceResult


@dataclass(frozen=True)
class PlannedThreshold:
    """A threshold on one metric of the evaluated model.

    Args:
        key: The metric; a change threshold's is the difference to the baseline.
        spec: The `SlicingSpec` whose slices it applies to, or the `CrossSlicingSpec` whose comparisons;
            None for the slices of all specs.
        threshold: A `GenericValueThreshold` or `GenericChangeThreshold`.
        metric: The metric itself.
        baseline: For a change threshold, the model to compare with.
    """

    key: MetricKey
    spec: Any
    threshold: Any
    metric: MetricKey
    baseline: str = ""


def planned_thresholds(config: Any) -> list[PlannedThreshold]:
    """Return the thresholds of a resolved EvalConfig without problems, each once."""
    found: dict[Any, PlannedThreshold] = {}
    baselines = baseline_names(config)
    for request in threshold_requests(config, metric_requests(config)):
        threshold, spec = request.threshold, request.slicing
        each: list[PlannedThreshold] = []
        for key in request.keys:
            if threshold.HasField("value_threshold"):
                each.append(PlannedThreshold(key, spec, threshold.value_threshold, key))
            if threshold.HasField("change_threshold"):
                change = threshold.change_threshold
                for i, baseline in enumerate(baselines):
                    diff = key.diff(baseline if i else "")
                    each.append(PlannedThreshold(diff, spec, change, key, baseline))
        for planned in each:
            where = None if spec is None else spec.SerializeToString(deterministic=True)
            identity = (
                planned.key,
                is_cross_slice(spec),
                where,
                planned.threshold.SerializeToString(),
            )
            found.setdefault(identity, planned)
    return list(found.values())


def check_thresholds(
    config: Any,
    requested: Any,
    thresholds: Sequence[PlannedThreshold],
    slices: Sequence[SliceResult],
    cross_slices: Sequence[CrossSliceResult] = (),
) -> Validation:
    """Check every threshold in every slice that it applies to, on the value of all rows.

    Args:
        config: The resolved EvalConfig.
        requested: The EvalConfig as given.
        thresholds: From `planned_thresholds`.
        slices: The results.
        cross_slices: The comparisons of slices.
    """
    baselines = baseline_names(config)
    checks, missing, missing_cross = [], [], []
    for planned in thresholds:
        if is_cross_slice(planned.spec):
            compared = [
                each
                for each in cross_slices
                if cross_spec_matches(planned.spec, each.baseline, each.key)
            ]
            checks += [_check(planned, each, len(baselines)) for each in compared]
            if not compared and planned.spec not in missing_cross:
                missing_cross.append(planned.spec)
            continue
        matching = [
            result
            for result in slices
            if planned.spec is None or spec_matches(planned.spec, result.key)
        ]
        checks += [_check(planned, result, len(baselines)) for result in matching]
        if not matching and planned.spec not in missing:
            missing.append(planned.spec if planned.spec is not None else SlicingSpec())
    dropped = has_change_thresholds(requested) and not baselines
    none_set = not thresholds and not dropped
    ok = not (none_set or missing or missing_cross) and all(check.passed for check in checks)
    return Validation(ok, checks, missing, none_set, dropped, missing_cross)


def _check(
    planned: PlannedThreshold, result: SliceResult | CrossSliceResult, num_baselines: int
) -> ThresholdCheck:
    key = planned.metric
    value, change, reference = _float(result.metrics.get(key)), None, None
    bounds, direction = bounds_of(planned.threshold), ""
    passed = False
    if planned.baseline:
        higher = planned.threshold.direction == MetricDirection.HIGHER_IS_BETTER
        direction = "higher is better" if higher else "lower is better"
        change = _float(result.metrics.get(planned.key))
        reference = _float(result.metrics.get(key.of_model(planned.baseline)))
        if change is not None:
            relative = float("nan")
            if reference is not None and not math.isclose(reference, 0.0):
                relative = change / reference
            passed = _change_holds(bounds, change, relative, direction)
    elif value is not None:
        passed = bounds.get("lower", -math.inf) <= value <= bounds.get("upper", math.inf)
    interval = result.intervals.get(planned.key)
    return ThresholdCheck(
        metric=key.label(),
        slice=result.name,
        num_examples=result.num_examples,
        passed=passed,
        value=value,
        bounds=bounds,
        change=change,
        baseline=reference,
        direction=direction,
        error=result.error,
        interval=(interval.lower, interval.upper) if interval is not None else None,
        # Who has one baseline knows which it is.
        baseline_name=planned.baseline if num_baselines > 1 else "",
        key=planned.key,
        slice_key=result.key,
        baseline_slice_key=result.baseline if isinstance(result, CrossSliceResult) else None,
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
