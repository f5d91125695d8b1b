"""An EvalConfig as it is for the models that there are; without NumPy."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from penstock.evaluation.config import EvalConfig
from penstock.evaluation.keys import BASELINE, CANDIDATE


def resolve_config(
    config: Any, *, has_baseline: bool, baselines: Collection[str] | None = None
) -> Any:
    """Return a copy of an EvalConfig for the models that there are, as TFMA resolves it.

    With a baseline a single ModelSpec becomes `candidate` and `baseline`. Without one the baseline's
    ModelSpec and all change thresholds are dropped, and a single model has no name.

    Args:
        config: An `EvalConfig` without problems.
        has_baseline: Whether a baseline model is evaluated too.
        baselines: The names of the baselines that there are, where they were given by name.
    """
    resolved = resolve_models(config, has_baseline=has_baseline, baselines=baselines)
    if not has_baseline:
        for threshold in all_thresholds(resolved):
            threshold.ClearField("change_threshold")
    return resolved


def resolve_models(
    config: Any, *, has_baseline: bool, baselines: Collection[str] | None = None
) -> Any:
    """Return what `resolve_config` does, with all change thresholds."""
    resolved = EvalConfig()
    resolved.CopyFrom(config)
    specs = resolved.model_specs
    if not specs:
        specs.add()
    if has_baseline and len(specs) == 1:
        specs[0].name = CANDIDATE
        for name in baselines or [BASELINE]:
            specs.add().CopyFrom(specs[0])
            specs[-1].name = name
            specs[-1].is_baseline = True
    elif not has_baseline or baselines is not None:
        kept = [spec for spec in specs if not spec.is_baseline or spec.name in (baselines or ())]
        del specs[:]
        specs.extend(kept)
        if len(specs) == 1:
            specs[0].name = ""
    names = [spec.name for spec in specs]
    for spec in resolved.metrics_specs:
        if not spec.model_names or len(names) == 1:
            del spec.model_names[:]
            spec.model_names.extend(names)
    return resolved


def baseline_names(config: Any) -> list[str]:
    """Return the names of a resolved EvalConfig's baselines, in order; the first is the one of TFMA."""
    return [spec.name for spec in config.model_specs if spec.is_baseline]


def all_thresholds(config: Any) -> Iterator[Any]:
    """Yield every `MetricThreshold` in an EvalConfig."""
    for spec in config.metrics_specs:
        yield from spec.thresholds.values()
        for named in spec.per_slice_thresholds.values():
            yield from (entry.threshold for entry in named.thresholds)
        for cross in spec.cross_slice_thresholds.values():
            yield from (entry.threshold for entry in cross.thresholds)
        for metric in spec.metrics:
            if metric.HasField("threshold"):
                yield metric.threshold
            yield from (entry.threshold for entry in metric.per_slice_thresholds)
            yield from (entry.threshold for entry in metric.cross_slice_thresholds)


def has_change_thresholds(config: Any) -> bool:
    """Return whether any threshold compares with a baseline."""
    return any(threshold.HasField("change_threshold") for threshold in all_thresholds(config))
