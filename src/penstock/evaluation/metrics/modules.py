"""Whose metric a `MetricConfig` names: one of the table here, or one of a module."""

from __future__ import annotations

from typing import Any

from penstock.evaluation.metrics.catalog import CATALOG

_TFMA = ("tensorflow_model_analysis", "tfma")
_KERAS = ("keras", "tf_keras", "tensorflow")


def is_tfma(module: str) -> bool:
    """Return whether a module is TFMA's own."""
    return module.partition(".")[0] in _TFMA


def is_built_in(metric: Any) -> bool:
    """Return whether a `MetricConfig` names a metric of the table.

    TFMA writes the module of its own and of Keras's classes into a config; they are the table's metrics.
    With any other module the class is that module's, whatever its name.
    """
    library = metric.module.partition(".")[0]
    return metric.class_name in CATALOG and (not library or library in _TFMA + _KERAS)
