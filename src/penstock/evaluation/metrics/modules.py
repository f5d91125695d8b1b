"""Whose metric a `MetricConfig` names: one of the table here, or one of a module."""

from __future__ import annotations

from typing import Any

from penstock.evaluation.metrics.declarations import CATALOG, REFUSED, MetricDeclaration

_TFMA = ("tensorflow_model_analysis", "tfma")
COUNTS = ("ExampleCount", "WeightedExampleCount")
"""Metrics that count queries where rows are grouped by query."""
_KERAS = ("keras", "tf_keras", "tensorflow")


def is_tfma(module: str) -> bool:
    """Return whether a module is TFMA's own."""
    return module.partition(".")[0] in _TFMA


def catalog_key(metric: Any) -> str:
    """Return the name in the table of what a `MetricConfig` names.

    It is the class name, but for a loss that differs from Keras's metric of its name.
    """
    loss = f"losses.{metric.class_name}"
    return loss if loss in CATALOG and _is_loss(metric.module) else str(metric.class_name)


def is_built_in(metric: Any) -> bool:
    """Return whether a `MetricConfig` names a metric of the table.

    TFMA writes the module of its own and of Keras's classes into a config; they are the table's metrics.
    With any other module the class is that module's, whatever its name.
    """
    library = metric.module.partition(".")[0]
    return (
        metric.class_name in CATALOG
        and (not library or library in _TFMA + _KERAS)
        and not refusal(metric)
    )


def declaration_of(metric: Any) -> MetricDeclaration | None:
    """Return the table's entry of what a `MetricConfig` names; None for a metric of a module."""
    return CATALOG[catalog_key(metric)] if is_built_in(metric) else None


def refusal(metric: Any) -> str:
    """Return why a metric of TFMA, or a metric or loss of Keras, is not computed, or nothing."""
    library = metric.module.partition(".")[0]
    places: tuple[str, ...]
    if library in _KERAS:
        places = ("keras.losses",) if _is_loss(metric.module) else ("keras.metrics",)
    elif library in _TFMA:
        places = ("tfma",)
    elif not library and metric.class_name not in CATALOG:
        places = ("tfma", "fairness", "keras.metrics", "keras.losses")
    else:
        return ""
    found = (REFUSED.get(f"{place}.{metric.class_name}", "") for place in places)
    return next(filter(None, found), "")


def _is_loss(module: str) -> bool:
    return module.partition(".")[0] in _KERAS and "losses" in module.split(".")
