"""The verdict of the thresholds as TFMA's `ValidationResult` message."""

from __future__ import annotations

from typing import Any

from penstock.evaluation.keys import slice_key_to_proto
from penstock.evaluation.messages import message_class
from penstock.evaluation.slices.cross_slices import is_cross_slice
from penstock.evaluation.verdict import ThresholdCheck, Validation, sentence


def validation_message(validation: Validation) -> Any:
    """Return a validation as a `ValidationResult` message."""
    message = message_class("ValidationResult")(
        validation_ok=validation.ok,
        missing_thresholds=validation.missing_thresholds,
        missing_slices=validation.missing_slices,
        missing_cross_slices=validation.missing_cross_slices,
        rubber_stamp=validation.dropped_change_thresholds,
    )
    by_slice: dict[Any, Any] = {}
    details: dict[Any, Any] = {}
    counted = set()
    for check in validation.checks:
        spec = message_class("SlicingSpec")() if check.spec is None else check.spec
        identity = (is_cross_slice(spec), spec.SerializeToString(deterministic=True))
        if identity not in details:
            field = "cross_slicing_spec" if is_cross_slice(spec) else "slicing_spec"
            details[identity] = message.validation_details.slicing_details.add(**{field: spec})
        # Several thresholds on a slice count it once.
        slices = (check.baseline_slice_key, check.slice_key)
        details[identity].num_matching_slices += (identity, slices) not in counted
        counted.add((identity, slices))
        if check.passed:
            continue
        if slices not in by_slice:
            by_slice[slices] = message.metric_validations_per_slice.add()
            _slices_to_proto(check, by_slice[slices])
        failure = by_slice[slices].failures.add(message=sentence(check))
        check.key.to_proto(failure.metric_key)
        if check.key.is_diff:
            failure.metric_threshold.change_threshold.CopyFrom(check.threshold)
        else:
            failure.metric_threshold.value_threshold.CopyFrom(check.threshold)
        value = check.change if check.kind == "change" else check.value
        if value is not None:
            failure.metric_value.double_value.value = value
    return message


def _slices_to_proto(check: ThresholdCheck, message: Any) -> None:
    if check.baseline_slice_key is None:
        slice_key_to_proto(check.slice_key, message.slice_key)
        return
    pair = message.cross_slice_key
    slice_key_to_proto(check.baseline_slice_key, pair.baseline_slice_key)
    slice_key_to_proto(check.slice_key, pair.comparison_slice_key)
