"""Slices compared with each other: which pairs there are, and the differences of their metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock.evaluation.intervals.confidence_interval import ConfidenceInterval, minus
from penstock.evaluation.intervals.resampling import Resampling
from penstock.evaluation.intervals.sampled_values import SampledValues
from penstock.evaluation.keys import MetricKey, SliceKey, cross_slice_name
from penstock.evaluation.slices.slicing_specs import spec_matches


@dataclass
class CrossSliceResult:
    """How the metrics of two slices differ.

    Args:
        baseline: The slice that the other is compared with.
        key: The other slice.
        num_examples: The rows of the other slice.
        metrics: The baseline slice's value minus the other's, by key, as in TFMA.
        intervals: Confidence intervals of the differences, where the EvalConfig asks for them.
        error: Why there are no metrics, when one of the slices is too small.
        interval_error: Why there are no intervals, when one of the slices has too few rows.
    """

    baseline: SliceKey
    key: SliceKey
    num_examples: int
    metrics: dict[MetricKey, Any] = field(default_factory=dict)
    intervals: dict[MetricKey, ConfidenceInterval] = field(default_factory=dict)
    error: str = ""
    interval_error: str = ""

    @property
    def name(self) -> str:
        """The two slices, for people: `Overall vs. island=Dream`."""
        return cross_slice_name(self.baseline, self.key)


def cross_slice_results(
    specs: Sequence[Any],
    results: Sequence[Any],
    sampled: SampledValues | None,
    method: type[Resampling] | None,
    without_interval: set[MetricKey],
) -> list[CrossSliceResult]:
    """Return the comparisons that an EvalConfig asks for, each pair of slices once.

    Args:
        specs: `CrossSlicingSpec` messages.
        results: The slices' results, in the order of the slices' numbers.
        sampled: The slices' values in the samples, if there are intervals.
        method: How the samples were taken.
        without_interval: The metrics that have no interval.
    """
    found = []
    for one, other in dict.fromkeys(_pairs(specs, [result.key for result in results])):
        baseline, comparison = results[one], results[other]
        made = CrossSliceResult(baseline.key, comparison.key, comparison.num_examples)
        made.error = baseline.error or comparison.error
        if not made.error:
            made.metrics = _differences(baseline.metrics, comparison.metrics)
        if sampled is not None and method is not None and not made.error:
            made.interval_error = baseline.interval_error or comparison.interval_error
            wanted = {k: v for k, v in made.metrics.items() if k not in without_interval}
            made.intervals = sampled.intervals_between(method, one, other, wanted)
        found.append(made)
    return sorted(found, key=lambda each: each.name)


def compare_further(compared: Sequence[CrossSliceResult], results: Sequence[Any]) -> None:
    """Add the differences of metrics that the slices got later, from elsewhere; they have no intervals.

    Args:
        compared: The comparisons.
        results: The slices' results.
    """
    by_key = {result.key: result.metrics for result in results}
    for each in compared:
        if not each.error:
            differences = _differences(by_key[each.baseline], by_key[each.key])
            each.metrics = {**differences, **each.metrics}


def is_cross_slice(spec: Any) -> bool:
    """Return whether a threshold's spec is a `CrossSlicingSpec`, not a `SlicingSpec` or None."""
    return spec is not None and spec.DESCRIPTOR.name == "CrossSlicingSpec"


def cross_spec_matches(spec: Any, baseline: SliceKey, comparison: SliceKey) -> bool:
    """Return whether a `CrossSlicingSpec` compares these two slices."""
    if not spec_matches(spec.baseline_spec, baseline):
        return False
    if spec.slicing_specs:
        return any(spec_matches(each, comparison) for each in spec.slicing_specs)
    return not spec_matches(spec.baseline_spec, comparison)


def _pairs(specs: Sequence[Any], keys: Sequence[SliceKey]) -> Iterator[tuple[int, int]]:
    for spec in specs:
        for one, baseline in enumerate(keys):
            if not spec_matches(spec.baseline_spec, baseline):
                continue
            for other, comparison in enumerate(keys):
                if cross_spec_matches(spec, baseline, comparison):
                    yield one, other


def _differences(
    baseline: Mapping[MetricKey, Any], comparison: Mapping[MetricKey, Any]
) -> dict[MetricKey, Any]:
    differences = {}
    for key, value in comparison.items():
        if key in baseline and (difference := minus(baseline[key], value)) is not None:
            differences[key] = difference
    return differences
