"""Thresholds: which apply, what each said in which slice, and whether the model passes.

The rules are TFMA's (tensorflow_model_analysis/evaluators/metrics_validator.py), with one addition: a
threshold that `MetricsSpec.thresholds` sets by name applies to the metric of that name, weighted or not.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.evaluation.config import MetricDirection, SlicingSpec
from penstock.evaluation.keys import MetricKey, SliceKey, slice_name
from penstock.evaluation.plan import PlannedMetric, has_change_thresholds
from penstock.evaluation.slicing import spec_matches, spec_name

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


@dataclass(frozen=True)
class ThresholdCheck:
    """What one threshold said of one slice, as data.

    Args:
        metric: The metric, for people.
        slice: The slice, for people; `Overall` is the whole data set.
        passed: The verdict.
        value: The metric's value, or its difference to the baseline for a change threshold; None when
            there is none.
        baseline: The baseline's value, for a change threshold.
        bounds: The bounds by name: lower, upper, absolute, relative.
        direction: For a change threshold, "higher is better" or "lower is better".
        reason: A sentence.
    """

    metric: str
    slice: str
    passed: bool
    value: float | None
    baseline: float | None
    bounds: dict[str, float]
    direction: str
    reason: str
    key: MetricKey = field(repr=False, default=MetricKey(""))
    slice_key: SliceKey = field(repr=False, default=())
    threshold: Any = field(repr=False, compare=False, default=None)
    spec: Any = field(repr=False, compare=False, default=None)

    def to_dict(self) -> dict[str, Any]:
        """Returns what JSON can hold; a value that is no number becomes None."""
        hidden = ("key", "slice_key", "threshold", "spec")
        values = {k: v for k, v in vars(self).items() if k not in hidden}
        for name in ("value", "baseline"):
            if values[name] is not None and not math.isfinite(values[name]):
                values[name] = None
        values["slice_key"] = [list(pair) for pair in self.slice_key]
        values["model"] = self.key.model_name
        return values


@dataclass
class Validation:
    """The verdict of all thresholds.

    Args:
        ok: Whether the model passes: there are thresholds, each holds, and each found its slices.
        checks: One a threshold and slice.
        missing_slices: Slicing specs of thresholds for which there was no data.
        missing_thresholds: Whether there were no thresholds at all.
        dropped_change_thresholds: Whether change thresholds fell away for want of a baseline.
    """

    ok: bool
    checks: list[ThresholdCheck]
    missing_slices: list[Any] = field(default_factory=list)
    missing_thresholds: bool = False
    dropped_change_thresholds: bool = False

    def reasons(self) -> list[str]:
        """Returns why the model was blessed or not, in sentences."""
        failed = [check.reason for check in self.checks if not check.passed]
        failed += [
            f"No example is in the slices {spec_name(spec)}, on which a threshold is set."
            for spec in self.missing_slices
        ]
        if self.missing_thresholds:
            failed.append("No threshold is set, so nothing vouches for the model.")
        if failed:
            return failed
        notes = [f"All {len(self.checks)} threshold checks passed."] if self.checks else []
        if self.dropped_change_thresholds:
            notes.append("There was no baseline: the change thresholds did not apply.")
        return notes

    def to_dict(self) -> dict[str, Any]:
        """Returns what JSON can hold."""
        return {
            "ok": self.ok,
            "reasons": self.reasons(),
            "checks": [check.to_dict() for check in self.checks],
            "missing_slices": [spec_name(spec) for spec in self.missing_slices],
            "missing_thresholds": self.missing_thresholds,
            "dropped_change_thresholds": self.dropped_change_thresholds,
        }


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
        close = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
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
    value = result.metrics.get(planned.key)
    reference = None
    if planned.is_change and baseline is not None:
        reference = result.metrics.get(planned.key.of_model(baseline))
    bounds = {
        bound.name.removesuffix("_bound"): value_message.value
        for bound, value_message in planned.threshold.ListFields()
        if bound.message_type is not None
    }
    direction = ""
    if planned.is_change:
        higher = planned.threshold.direction == MetricDirection.HIGHER_IS_BETTER
        direction = "higher is better" if higher else "lower is better"
    passed, said = False, result.error or "The metric has no single value."
    if isinstance(value, float):
        if planned.is_change:
            relative = float("nan")
            if isinstance(reference, float) and not math.isclose(reference, 0.0):
                relative = value / reference
            passed = _change_holds(bounds, value, relative, direction)
            said = f"It changed by {value:+.6g} from the baseline's {reference:.6g}"
        else:
            passed = bounds.get("lower", -math.inf) <= value <= bounds.get("upper", math.inf)
            said = f"It is {value:.6g}"
        limits = ", ".join(f"{name} {bound:g}" for name, bound in bounds.items())
        said += f" ({limits}{', ' + direction if direction else ''})."
    name, where = planned.key.label(), slice_name(result.key)
    return ThresholdCheck(
        metric=name,
        slice=where,
        passed=passed,
        value=value if isinstance(value, float) else None,
        baseline=reference if isinstance(reference, float) else None,
        bounds=bounds,
        direction=direction,
        reason=f"{name} on {where}: {said}",
        key=planned.key,
        slice_key=result.key,
        threshold=planned.threshold,
        spec=planned.spec,
    )


def _change_holds(bounds: dict[str, float], change: float, ratio: float, direction: str) -> bool:
    sign = 1.0 if direction == "higher is better" else -1.0
    absolute = "absolute" not in bounds or sign * change >= sign * bounds["absolute"]
    relative = "relative" not in bounds or sign * ratio >= sign * bounds["relative"]
    return absolute and relative
