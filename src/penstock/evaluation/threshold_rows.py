"""Thresholds as rows of a table: what each was on, its value, its bounds, and how it went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from penstock.evaluation.keys import MetricKey, message_slice_name
from penstock.evaluation.results import read_checks, read_validation
from penstock.evaluation.verdict import bounds_of

_DIRECTIONS = {1: "lower is better", 2: "higher is better"}


def threshold_rows(path: str) -> Iterator[dict[str, Any]]:
    """Yield the threshold checks of an evaluation, as values by column.

    A `ValidationResult`, which is all that TFMA writes, holds those that failed, without the baseline's
    value and without the number of examples.

    Args:
        path: The evaluation's folder.
    """
    checks = read_checks(path)
    if checks is not None:
        for check in checks["checks"]:
            yield {**check, **check["bounds"], "model": check.get("model") or None}
        return
    result = read_validation(path)
    if result is None:
        return
    for entry in result.metric_validations_per_slice:
        for failure in entry.failures:
            yield {"slice": message_slice_name(entry), "passed": False, **_failure(failure)}


def _failure(failure: Any) -> Mapping[str, Any]:
    threshold = failure.metric_threshold
    is_change = threshold.HasField("change_threshold")
    message = threshold.change_threshold if is_change else threshold.value_threshold
    value = None
    if failure.metric_value.WhichOneof("type") == "double_value":
        value = failure.metric_value.double_value.value
    key = MetricKey.from_proto(failure.metric_key)
    return {
        "metric": key.label(),
        "model": key.model_name or None,
        "kind": "change" if is_change else "value",
        "change" if is_change else "value": value,
        "direction": _DIRECTIONS.get(message.direction, "") if is_change else "",
        "reason": failure.message or None,
        "bounds": bounds_of(message),
        **bounds_of(message),
    }
