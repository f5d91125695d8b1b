"""The results of each slice: from the kernels' states to values, differences and intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from penstock.evaluation.intervals.confidence_interval import ConfidenceInterval, minus
from penstock.evaluation.intervals.resampling import NUM_SAMPLES, Resampling, Sample
from penstock.evaluation.intervals.sampled_values import SampledValues
from penstock.evaluation.keys import MetricKey, SliceKey, slice_name
from penstock.evaluation.plan import PlannedMetric
from penstock.evaluation.resolve import baseline_names
from penstock.evaluation.slices.cross_slices import CrossSliceResult, cross_slice_results


@dataclass
class SliceResult:
    """The metrics and plots of one slice.

    Args:
        key: The slice.
        num_examples: Its rows.
        metrics: Floats, arrays or structured values by key.
        plots: Plots by key.
        attributions: Numbers or arrays by feature, by key.
        error: Why there are no metrics, when the slice is too small.
        intervals: Confidence intervals by key, where the EvalConfig asks for them.
        interval_error: Why there are no intervals, when the slice has too few rows.
    """

    key: SliceKey
    num_examples: int
    metrics: dict[MetricKey, Any] = field(default_factory=dict)
    plots: dict[MetricKey, Any] = field(default_factory=dict)
    attributions: dict[MetricKey, dict[str, Any]] = field(default_factory=dict)
    error: str = ""
    intervals: dict[MetricKey, ConfidenceInterval] = field(default_factory=dict)
    interval_error: str = ""

    @property
    def name(self) -> str:
        """The slice, for people: `Overall`, `island=Dream`."""
        return slice_name(self.key)


def slice_results(
    config: Any,
    keys: Sequence[SliceKey],
    states: Any,
    metrics: Sequence[PlannedMetric],
    resampling: Resampling | None = None,
) -> tuple[list[SliceResult], list[CrossSliceResult]]:
    """Return the results of all slices, the whole data set first, then by name, and the comparisons.

    Args:
        config: The resolved `EvalConfig`.
        keys: The slices in the order of their numbers.
        states: The `Accumulation` of all rows.
        metrics: What to compute.
        resampling: How the rows were sampled, if they were.
    """
    samples = (
        iter([Sample(states)]) if resampling is None else resampling.samples(states, len(keys))
    )
    baselines = baseline_names(config)
    results = list(_of_all_rows(config, keys, next(samples), metrics, baselines))
    without = {metric.key for metric in metrics if not metric.has_interval}
    sampled, method = None, None
    if resampling is not None:
        method = type(resampling)
        sampled = _sampled(results, samples, metrics, baselines, method)
        _add_intervals(results, sampled, method, without)
    specs = config.cross_slicing_specs
    compared = cross_slice_results(specs, results, sampled, method, without)
    results.sort(key=lambda r: [(column, str(value)) for column, value in r.key])
    return results, compared


def _of_all_rows(
    config: Any,
    keys: Sequence[SliceKey],
    sample: Sample,
    metrics: Sequence[PlannedMetric],
    baselines: Sequence[str],
) -> Iterator[SliceResult]:
    least = config.options.min_slice_size.value
    for number, key in enumerate(keys):
        group = sample.group(number)
        result = SliceResult(key, sample.num_rows(group))
        # The whole data set has its metrics whatever its size, as in TFMA.
        if key and result.num_examples < least:
            result.error = (
                f"The slice has {result.num_examples} examples; min_slice_size is {least}."
            )
        else:
            plots = [metric for metric in metrics if metric.computation.is_plot]
            attributed = [metric for metric in metrics if metric.computation.is_attribution]
            with np.errstate(invalid="ignore", divide="ignore"):
                result.plots = {m.key: sample.states.value(m, group) for m in plots}
                result.attributions = {m.key: sample.states.value(m, group) for m in attributed}
            result.metrics = _values(sample, group, metrics, baselines)
        yield result


def _sampled(
    results: Sequence[SliceResult],
    samples: Iterator[Sample],
    metrics: Sequence[PlannedMetric],
    baselines: Sequence[str],
    method: type[Resampling],
) -> SampledValues:
    sampled = SampledValues(len(results))
    for i, sample in enumerate(samples):
        for number, result in enumerate(results):
            group = sample.group(number)
            if result.error or (method.LEAVES_OUT and not sample.num_rows(group)):
                continue
            sampled.add(i, number, _values(sample, group, metrics, baselines, is_sample=True))
    return sampled


def _add_intervals(
    results: Sequence[SliceResult],
    sampled: SampledValues,
    method: type[Resampling],
    without: set[MetricKey],
) -> None:
    points = (result.metrics for result in results)
    for number, intervals in enumerate(sampled.intervals(method, points)):
        result, num_samples = results[number], sampled.num_samples(number)
        result.intervals = {k: found for k, found in intervals.items() if k not in without}
        if not result.error and num_samples < NUM_SAMPLES:
            result.interval_error = (
                f"CI not computed because only {num_samples} samples were non-empty. Expected "
                f"{NUM_SAMPLES}."
            )


def _values(
    sample: Sample,
    group: int,
    metrics: Sequence[PlannedMetric],
    baselines: Sequence[str],
    *,
    is_sample: bool = False,
) -> dict[MetricKey, Any]:
    values: dict[MetricKey, Any] = {}
    # What is infinite or no number comes out as such; NumPy need not warn of it.
    with np.errstate(invalid="ignore", divide="ignore"):
        for metric in metrics:
            if metric.computation.is_plot or metric.computation.is_attribution:
                continue
            try:
                values[metric.key] = sample.states.value(metric, group)
            except ZeroDivisionError:
                if not is_sample:
                    raise
                # A sample may have no row of a small slice, which a user's metric need not expect.
                values[metric.key] = float("nan")
        values.update(_differences(values, baselines))
    return values


def _differences(metrics: dict[MetricKey, Any], baselines: Sequence[str]) -> dict[MetricKey, Any]:
    differences = {}
    for key, value in metrics.items():
        if key.model_name in baselines:
            continue
        for i, baseline in enumerate(baselines):
            other = metrics.get(key.of_model(baseline))
            if other is not None and (difference := minus(value, other)) is not None:
                differences[key.diff(baseline if i else "")] = difference
    return differences
