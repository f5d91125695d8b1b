"""What is wrong with thresholds: those that could not fail, could not hold, or are on nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from penstock.evaluation.checks.problem import ConfigProblem
from penstock.evaluation.checks.threshold_entries import threshold_entries
from penstock.evaluation.config import MetricDirection
from penstock.evaluation.metrics.modules import declaration_of
from penstock.evaluation.requested_metrics import (
    MetricRequest,
    ThresholdRequest,
    threshold_requests,
)
from penstock.spelling import nearest


def threshold_problems(config: Any, requests: Sequence[MetricRequest]) -> Iterator[ConfigProblem]:
    """Yield what is wrong with the thresholds of a resolved EvalConfig.

    Args:
        config: The resolved `EvalConfig`.
        requests: What it asks for.
    """
    yield from _without_slices(config)
    structured = {
        request.key
        for request in requests
        if (declaration := declaration_of(request.metric)) and declaration.is_structured
    }
    for found in threshold_requests(config, requests):
        if not found.keys:
            yield ConfigProblem(found.place, _not_computed(found, requests))
        elif any(key in structured for key in found.keys):
            yield ConfigProblem(
                found.place, f"{found.name} is not a single number, so it cannot have a threshold."
            )
        elif any(key.is_diff for key in found.keys) and found.threshold.HasField("value_threshold"):
            yield ConfigProblem(
                found.place,
                f"{found.name} compares the model with its baseline; bound it by a change_threshold.",
            )
        yield from _bounds(found)


def _without_slices(config: Any) -> Iterator[ConfigProblem]:
    for place, entry in threshold_entries(config, "per_slice_thresholds"):
        if not entry.slicing_specs:
            yield ConfigProblem(place, "has no slicing_specs. SlicingSpec() is the whole data set.")
    for place, entry in threshold_entries(config, "cross_slice_thresholds"):
        if not entry.cross_slicing_specs:
            yield ConfigProblem(
                place, "has no cross_slicing_specs, which say what is compared with what."
            )


def _not_computed(found: ThresholdRequest, requests: Sequence[MetricRequest]) -> str:
    known = sorted({request.key.name for request in requests})
    if found.name in known:
        return (
            f"{found.name!r} is not computed for the models, outputs and classes of this MetricsSpec, "
            "or only for the baseline."
        )
    return (
        f"the metric {found.name!r} is not computed.{nearest(found.name, known)} "
        f"Computed: {', '.join(known)}"
    )


def _bounds(found: ThresholdRequest) -> Iterator[ConfigProblem]:
    threshold, place = found.threshold, found.place
    value, change = threshold.value_threshold, threshold.change_threshold
    has_value, has_change = (
        threshold.HasField(field) for field in ("value_threshold", "change_threshold")
    )
    if not has_value and not has_change:
        yield ConfigProblem(place, "has neither a value_threshold nor a change_threshold.")
    bounds = {
        name: getattr(message, name).value
        for message, names in (
            (value, ("lower_bound", "upper_bound")),
            (change, ("absolute", "relative")),
        )
        for name in names
        if message.HasField(name)
    }
    if has_value and not {"lower_bound", "upper_bound"} & set(bounds):
        yield ConfigProblem(place, "the value_threshold needs a lower_bound or an upper_bound.")
    if has_change and not {"absolute", "relative"} & set(bounds):
        yield ConfigProblem(place, "the change_threshold needs absolute or relative.")
    if has_change and change.direction not in (
        MetricDirection.HIGHER_IS_BETTER,
        MetricDirection.LOWER_IS_BETTER,
    ):
        yield ConfigProblem(
            place, "the change_threshold needs a direction: HIGHER_IS_BETTER or LOWER_IS_BETTER."
        )
    for name, bound in bounds.items():
        if math.isnan(bound):
            yield ConfigProblem(place, f"{name} is not a number.")
    lower, upper = bounds.get("lower_bound", -math.inf), bounds.get("upper_bound", math.inf)
    if lower > upper:
        yield ConfigProblem(
            place,
            f"no value lies between a lower_bound of {lower:g} and an upper_bound of {upper:g}.",
        )
