"""Thresholds: which apply, what each said in which slice, and whether the model passes.

The rules are TFMA's (tensorflow_model_analysis/evaluators/metrics_validator.py), with one addition: a
threshold that `MetricsSpec.thresholds` sets by name applies to the metric of that name, weighted or not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from penstock.evaluation.config import MetricDirection, SlicingSpec
from penstock.evaluation.keys import MetricKey, slice_name
from penstock.evaluation.requested_metrics import metric_requests, threshold_requests
from penstock.evaluation.resolve import has_change_thresholds
from penstock.evaluation.slicing_specs import spec_matches
from penstock.evaluation.verdict import ThresholdCheck, Validation, bounds_of

if TYPE_CHECKING:
    from penstock.evaluation.slice_results import SliceResult


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


def planned_thresholds(config: Any) -> list[PlannedThreshold]:
    """Return the thresholds of a resolved EvalConfig without problems, each once."""
    found: dict[Any, PlannedThreshold] = {}
    for request in threshold_requests(config, metric_requests(config)):
        threshold, spec = request.threshold, request.slicing
        each: list[PlannedThreshold] = []
        for key in request.keys:
            if threshold.HasField("value_threshold"):
                each.append(PlannedThreshold(key, spec, threshold.value_threshold))
            if threshold.HasField("change_threshold"):
                each.append(PlannedThreshold(key.diff(), spec, threshold.change_threshold))
        for planned in each:
            spec_bytes = None if spec is None else spec.SerializeToString(deterministic=True)
            identity = (planned.key, spec_bytes, planned.threshold.SerializeToString())
            found.setdefault(identity, planned)
    return list(found.values())


def check_thresholds(
    config: Any,
    requested: Any,
    thresholds: Sequence[PlannedThreshold],
    slices: Sequence[SliceResult],
) -> Validation:
    """Check every threshold in every slice that it applies to.

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
