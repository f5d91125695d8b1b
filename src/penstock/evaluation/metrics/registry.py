"""From the class name and configuration of an EvalConfig to a metric's computation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.evaluation.kernels.sums import KernelSpec
from penstock.evaluation.metrics.catalog import CATALOG, read_metric_config

MetricValue = Any
"""A float, an array of floats, or a structured value with `to_proto`."""


@dataclass(frozen=True)
class Computation:
    """How a metric comes about.

    Args:
        kernel: What to accumulate.
        value: The metric's value of one slice's state.
        is_plot: Whether it goes among the plots.
        is_attribution: Whether it goes among the attributions.
        labels: What the labels must be: "any", "binary" (numbers from 0 to 1), "lists" (of any length), or
            "none" where only weights or predictions count, or "rows" where only weights do.
        for_top_k: What to compute instead where a MetricsSpec restricts it to the best classes.
        raw: Whether it sees labels as lists of any length, and everything that the signature returns.
        parts: For a metric of several values, what to compute for each, by the argument that names it.
        of_rank: For a ranking metric of the best documents, what to compute for their number.
    """

    kernel: KernelSpec
    value: Callable[[Any], MetricValue]
    is_plot: bool = False
    is_attribution: bool = False
    labels: str = "any"
    for_top_k: Computation | None = None
    raw: bool = False
    parts: Mapping[str, Computation] = field(default_factory=dict)
    of_rank: Callable[[int], Computation] | None = None


Builder = Callable[..., Computation]
_BUILDERS: dict[str, Builder] = {}
OWN_SUB_KEY = {"top_k", "class_id"}


def metric(*class_names: str) -> Callable[[Builder], Builder]:
    """Register a function that makes a metric's computation from its arguments.

    Args:
        class_names: The names that a `MetricConfig.class_name` may have; each is in the catalog, with the
            function's arguments.
    """

    def register(builder: Builder) -> Builder:
        for class_name in class_names:
            known = set(inspect.signature(builder).parameters)
            declared = _of_builder(class_name, CATALOG[class_name].arguments)
            if known != declared:
                raise TypeError(
                    f"{class_name} takes {sorted(known)}; the catalog says {sorted(declared)}."
                )
            _BUILDERS[class_name] = builder
        return builder

    return register


def build_metric(class_name: str, config: str | Mapping[str, Any] = "") -> tuple[str, Computation]:
    """Return a metric's name and computation.

    Args:
        class_name: As in the table, such as `"AUC"`.
        config: The metric's arguments as JSON, as in `MetricConfig.config`, or as a dict.

    Raises:
        ValueError: If there is no such metric, or it takes no such argument.
    """
    name, arguments = read_metric_config(class_name, config)
    load_metrics()
    # The class or rank in a metric's own arguments is part of its key; the view sees to it.
    taken = _of_builder(class_name, arguments)
    return name, _BUILDERS[class_name](**{key: arguments[key] for key in taken})


def _of_builder(class_name: str, arguments: Iterable[str]) -> set[str]:
    """Return the arguments that a metric's builder takes: not those that are parts of its keys."""
    declaration = CATALOG[class_name]
    in_keys = set(declaration.parts)
    if declaration.takes_class:
        in_keys |= OWN_SUB_KEY
    return set(arguments) - in_keys


def load_metrics() -> None:
    """Import the modules that register metrics."""
    from penstock.evaluation.metrics import (  # noqa: F401
        attributions,
        binary,
        comparisons,
        fairness,
        keras_rows,
        keras_sums,
        language,
        means,
        multiclass,
        plots,
        ranking,
        set_match,
        texts,
    )
