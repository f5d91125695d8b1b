"""Which metrics of an EvalConfig are left to TFMA."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from penstock.evaluation.metrics.modules import declaration_of
from penstock.evaluation.metrics.user_metrics import find_metric
from penstock.evaluation.resolve import baseline_names


def is_left(metric: Any, modules: Mapping[str, ModuleType]) -> bool:
    """Return whether a `MetricConfig` names a metric that only TFMA computes."""
    declaration = declaration_of(metric)
    if declaration is not None:
        return declaration.by_tfma
    return is_tfma_class(find_metric(metric, modules))


def is_tfma_class(found: Any) -> bool:
    """Return whether `found` is a metric class of TFMA's; do not import TFMA."""
    return inspect.isclass(found) and any(
        base.__module__.startswith("tensorflow_model_analysis") for base in found.__mro__
    )


def left_config(config: Any, modules: Mapping[str, ModuleType]) -> Any:
    """Return a resolved EvalConfig with those of its metrics that are left to TFMA; None without any.

    Thresholds are checked here, so TFMA gets none.
    """
    left = type(config)()
    left.CopyFrom(config)
    del left.metrics_specs[:]
    for spec in config.metrics_specs:
        metrics = [metric for metric in spec.metrics if is_left(metric, modules)]
        if not metrics:
            continue
        added = left.metrics_specs.add()
        added.CopyFrom(spec)
        del added.metrics[:]
        for field in ("thresholds", "per_slice_thresholds", "cross_slice_thresholds"):
            added.ClearField(field)
        for metric in metrics:
            kept = added.metrics.add()
            kept.class_name, kept.module, kept.config = (
                metric.class_name,
                metric.module,
                metric.config,
            )
    # Slices are compared here. TFMA knows one baseline.
    del left.cross_slicing_specs[:]
    for name in baseline_names(config)[1:]:
        next(model for model in left.model_specs if model.name == name).is_baseline = False
    left.options.Clear()
    left.options.include_default_metrics.value = False
    return left if left.metrics_specs else None
