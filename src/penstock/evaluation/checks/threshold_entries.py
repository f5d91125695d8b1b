"""The thresholds of an EvalConfig that are for certain slices, and where each stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal


def threshold_entries(
    config: Any, field: Literal["per_slice_thresholds", "cross_slice_thresholds"]
) -> Iterator[tuple[str, Any]]:
    """Yield the place and the message of each entry of a field, of metrics and by name."""
    for i, spec in enumerate(config.metrics_specs):
        for j, metric in enumerate(spec.metrics):
            for k, entry in enumerate(getattr(metric, field)):
                yield f"metrics_specs[{i}].metrics[{j}].{field}[{k}]", entry
        for name, named in sorted(getattr(spec, field).items()):
            for k, entry in enumerate(named.thresholds):
                yield f"metrics_specs[{i}].{field}[{name!r}].thresholds[{k}]", entry
