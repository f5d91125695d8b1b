"""The verdict on a model as data, and as the short sentences that a terminal shows.

Needs neither NumPy nor TensorFlow. The Evaluator keeps the verdict as the custom property `verdict` of
its two artifacts, so that it can be read wherever the artifact can.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.evaluation.keys import OVERALL, MetricKey, SliceKey, message_slice_name
from penstock.evaluation.slices.slicing_specs import cross_spec_name, spec_name

VERDICT_PROPERTY = "verdict"
"""The custom property of a ModelBlessing and a ModelEvaluation that holds `Validation.verdict()`."""

MAX_CHECKS = 50
"""How many checks a verdict holds; `threshold_checks.json` beside the metrics holds all of them."""


@dataclass(frozen=True)
class ThresholdCheck:
    """The check of one threshold in one slice, as data.

    Args:
        metric: The metric, for people.
        slice: The slice, for people; `Overall` is the whole data set.
        num_examples: How many examples the slice has.
        passed: The verdict.
        value: The metric's value; None when it has no single one.
        change: For a change threshold, the difference to the baseline; None when there is none.
        baseline: The baseline's value, for a change threshold.
        bounds: The bounds by name: lower, upper, absolute, relative.
        direction: For a change threshold, "higher is better" or "lower is better".
        error: Why there is no value.
        interval: The ends of the confidence interval of the value, or of the change, if there is one. The
            check is on the value itself.
        baseline_name: Which baseline a change is from, if there are several.
    """

    metric: str
    slice: str
    num_examples: int
    passed: bool
    value: float | None
    bounds: Mapping[str, float]
    change: float | None = None
    baseline: float | None = None
    direction: str = ""
    error: str = ""
    interval: tuple[float, float] | None = None
    baseline_name: str = ""
    key: MetricKey = field(repr=False, default=MetricKey(""))
    slice_key: SliceKey = field(repr=False, default=())
    baseline_slice_key: SliceKey | None = field(repr=False, default=None)
    threshold: Any = field(repr=False, compare=False, default=None)
    spec: Any = field(repr=False, compare=False, default=None)

    @property
    def kind(self) -> str:
        """Returns "change" where the threshold compares with the baseline, else "value"."""
        return "change" if self.direction else "value"

    def to_dict(self) -> dict[str, Any]:
        """Return the check as JSON values; a value that is not a number becomes None."""
        hidden = (
            "key",
            "slice_key",
            "baseline_slice_key",
            "threshold",
            "spec",
            "bounds",
            "interval",
        )
        values = {name: value for name, value in vars(self).items() if name not in hidden}
        for name in ("value", "change", "baseline"):
            if values[name] is not None and not math.isfinite(values[name]):
                values[name] = None
        interval = None
        if self.interval is not None and all(map(math.isfinite, self.interval)):
            interval = list(self.interval)
        compared_with = self.baseline_slice_key
        return {
            **values,
            "interval": interval,
            "kind": self.kind,
            "bounds": dict(self.bounds),
            "slice_key": [list(pair) for pair in self.slice_key],
            "baseline_slice_key": None
            if compared_with is None
            else [list(p) for p in compared_with],
            "model": self.key.model_name,
            "reason": sentence(self),
        }


@dataclass
class Validation:
    """The verdict of all thresholds.

    Args:
        ok: Whether the model passes: there are thresholds, each holds, and each found its slices.
        checks: One per threshold and slice.
        missing_slices: Slicing specs of thresholds for which there was no data.
        missing_thresholds: Whether there were no thresholds at all.
        dropped_change_thresholds: Whether change thresholds were dropped because there was no
            baseline.
        missing_cross_slices: Cross-slicing specs of thresholds for which there was no pair of slices.
    """

    ok: bool
    checks: list[ThresholdCheck]
    missing_slices: list[Any] = field(default_factory=list)
    missing_thresholds: bool = False
    dropped_change_thresholds: bool = False
    missing_cross_slices: list[Any] = field(default_factory=list)

    def failed(self) -> list[ThresholdCheck]:
        """Return the checks that failed, those of the largest slices first."""
        return sorted(
            (check for check in self.checks if not check.passed), key=lambda c: -c.num_examples
        )

    def failures(self) -> list[str]:
        """Return why the model is not blessed, in short sentences; empty if it is.

        Example:
            >>> validation.failures()
            ['auc 0.61 below 0.7 in carrier=HA (1 example)']
        """
        found = [sentence(check) for check in self.failed()]
        for spec in self.missing_slices:
            found.append(f"no example in {_where(spec_name(spec))}, which has a threshold")
        found += map(_not_compared, self.missing_cross_slices)
        if self.missing_thresholds:
            found.append("no threshold is set")
        return found

    def reasons(self) -> list[str]:
        """Return why the model was blessed or not, in sentences."""
        if failures := self.failures():
            return failures
        notes = [_all_passed(len(self.checks))] if self.checks else []
        if self.dropped_change_thresholds:
            notes.append("without a baseline, change thresholds were not checked")
        return notes

    def verdict(self) -> dict[str, Any]:
        """Return the verdict as JSON values, with at most 50 checks, failed ones first."""
        failed = self.failed()
        passed = [check for check in self.checks if check.passed]
        shown = (failed + passed)[:MAX_CHECKS]
        return {
            "blessed": self.ok,
            "summary": summary(self.ok, self.reasons()),
            "reasons": self.reasons()[:MAX_CHECKS],
            "num_checks": len(self.checks),
            "num_failed": len(failed),
            "checks": [check.to_dict() for check in shown],
        }

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "ok": self.ok,
            "summary": summary(self.ok, self.reasons()),
            "reasons": self.reasons(),
            "checks": [check.to_dict() for check in self.checks],
            "missing_slices": [spec_name(spec) for spec in self.missing_slices],
            "missing_cross_slices": [cross_spec_name(spec) for spec in self.missing_cross_slices],
            "missing_thresholds": self.missing_thresholds,
            "dropped_change_thresholds": self.dropped_change_thresholds,
        }


def _all_passed(checks: int) -> str:
    return "the threshold check passed" if checks == 1 else f"all {checks} threshold checks passed"


def summary(blessed: bool, reasons: Sequence[str]) -> str:
    """Return a verdict in one line.

    Example:
        >>> summary(False, ["auc 0.61 below 0.7 in carrier=HA (1 example)", "no threshold is set"])
        'not blessed: auc 0.61 below 0.7 in carrier=HA (1 example), and 1 more'
    """
    word = "blessed" if blessed else "not blessed"
    if not reasons:
        return word
    more = f", and {len(reasons) - 1} more" if len(reasons) > 1 and not blessed else ""
    shown = "; ".join(reasons) if blessed else reasons[0]
    return f"{word}: {shown}{more}"


def failures(result: Any) -> list[str]:
    """Return why a `ValidationResult` message, ours or TFMA's, failed, in short sentences.

    Such a message does not hold how many examples a slice has, nor the baseline's value.

    Args:
        result: The result of `read_validation`.
    """
    found = []
    for entry in result.metric_validations_per_slice:
        where = _in(message_slice_name(entry))
        for failure in entry.failures:
            name = MetricKey.from_proto(failure.metric_key).label()
            threshold, value = failure.metric_threshold, None
            if failure.metric_value.WhichOneof("type") == "double_value":
                value = failure.metric_value.double_value.value
            if value is None:
                found.append(f"{name} has no value{where}")
            elif threshold.HasField("change_threshold"):
                change = threshold.change_threshold
                limits = allowed_changes(bounds_of(change), change.direction == 2)
                found.append(f"{name} {_moved(value)} from the baseline ({limits}){where}")
            else:
                found.append(
                    f"{name} {_beyond(value, bounds_of(threshold.value_threshold))}{where}"
                )
    found += [
        f"no example in {_where(spec_name(s))}, which has a threshold"
        for s in result.missing_slices
    ]
    found += map(_not_compared, result.missing_cross_slices)
    if result.missing_thresholds:
        found.append("no threshold is set")
    return found


def bounds_of(threshold: Any) -> dict[str, float]:
    """Return the bounds of a `GenericValueThreshold` or `GenericChangeThreshold` by name."""
    return {
        bound.name.removesuffix("_bound"): message.value
        for bound, message in threshold.ListFields()
        if bound.message_type is not None
    }


def sentence(check: ThresholdCheck) -> str:
    """Return a check in one short sentence.

    Example:
        >>> sentence(ThresholdCheck("auc", "carrier=HA", 1, False, 0.61, {"lower": 0.7}))
        'auc 0.61 below 0.7 in carrier=HA (1 example)'
    """
    where = _in(check.slice, check.num_examples)
    if check.value is None:
        why = f": {check.error}" if check.error else ""
        return f"{check.metric} has no single value{where}{why}"
    if check.kind == "change":
        limits = allowed_changes(check.bounds, check.direction == "higher is better")
        if check.change is None or check.baseline is None:
            return f"{check.metric} {_number(check.value)} has no baseline ({limits}){where}"
        whose = check.baseline_name or "the baseline"
        moved = f"{_moved(check.change)} from {whose}'s {_number(check.baseline)}"
        spread = f"; {_spread(check, 'change')}" if check.interval else ""
        return f"{check.metric} {_number(check.value)}, {moved} ({limits}{spread}){where}"
    spread = f" ({_spread(check, 'value')})" if check.interval else ""
    if check.passed:
        limits = _limits(check.bounds)
        return f"{check.metric} {_number(check.value)} within {limits}{spread}{where}"
    return f"{check.metric} {_beyond(check.value, check.bounds)}{spread}{where}"


def _spread(check: ThresholdCheck, what: str) -> str:
    lower, upper = check.interval or (math.nan, math.nan)
    of = "the change is " if what == "change" else ""
    return f"{of}with 95% confidence from {_number(lower)} to {_number(upper)}"


def allowed_changes(bounds: Mapping[str, float], higher_is_better: bool) -> str:
    """Return the allowed change from the baseline, such as `may fall by 0.02 at most`."""
    said = []
    for name, bound in bounds.items():
        amount = f"{100 * abs(bound):g}%" if name == "relative" else f"{abs(bound):g}"
        up = "rise" if higher_is_better else "fall"
        down = "fall" if higher_is_better else "rise"
        wanted = bound if higher_is_better else -bound
        if wanted > 0:
            said.append(f"must {up} by {amount} at least")
        elif wanted < 0:
            said.append(f"may {down} by {amount} at most")
        else:
            said.append(f"must not {down}")
    return ", ".join(said)


def _beyond(value: float, bounds: Mapping[str, float]) -> str:
    lower, upper = bounds.get("lower", -math.inf), bounds.get("upper", math.inf)
    if math.isnan(value):
        return f"is not a number (allowed: {_limits(bounds)})"
    word, bound = ("below", lower) if value < lower else ("above", upper)
    return f"{_distinct(value, bound)} {word} {bound:g}"


def _limits(bounds: Mapping[str, float]) -> str:
    words = {"lower": "at least", "upper": "at most"}
    return " and ".join(f"{words[name]} {bound:g}" for name, bound in bounds.items())


def _moved(change: float) -> str:
    if math.isnan(change):
        return "changed by what is not a number"
    if change == 0:
        return "unchanged"
    return f"{'up' if change > 0 else 'down'} by {_number(abs(change))}"


def _distinct(value: float, bound: float) -> str:
    """Return a value short, but not so short that it reads as the bound that it missed."""
    texts = (f"{value:.{digits}g}" for digits in range(3, 18))
    return next((text for text in texts if float(text) != bound), repr(value))


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 or not math.isfinite(value) else f"{value:.6g}"


def _not_compared(spec: Any) -> str:
    return f"no slices to compare in {cross_spec_name(spec)}, which has a threshold"


def _where(name: str) -> str:
    return "the whole data set" if name == OVERALL else name


def _in(slice_name: str, num_examples: int | None = None) -> str:
    if slice_name == OVERALL:
        return ""
    if num_examples is None:
        return f" in {slice_name}"
    return f" in {slice_name} ({num_examples:,} example{'' if num_examples == 1 else 's'})"
