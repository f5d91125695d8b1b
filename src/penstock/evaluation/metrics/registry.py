"""The table of metrics: from the class name and configuration of an EvalConfig to a computation."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.evaluation.kernels import KernelSpec
from penstock.spelling import nearest

MetricValue = Any
"""A float, an array of floats, or a structured value with `to_proto`."""


@dataclass(frozen=True)
class Computation:
    """How a metric comes about.

    Args:
        kernel: What to accumulate.
        value: The metric's value of one slice's state.
        is_plot: Whether it goes among the plots.
        is_structured: Whether the value is neither a number nor an array, so that it has no mean.
        top_k: The best classes that the configuration restricts it to.
        class_id: The class that the configuration restricts it to.
        supports_aggregation: Whether averages over classes mean anything for it.
        for_top_k: What to compute instead where a MetricsSpec restricts it to the best classes.
    """

    kernel: KernelSpec
    value: Callable[[Any], MetricValue]
    is_plot: bool = False
    is_structured: bool = False
    top_k: int | None = None
    class_id: int | None = None
    supports_aggregation: bool = True
    for_top_k: Computation | None = None


Builder = Callable[..., Computation]
_BUILDERS: dict[str, tuple[str, Builder]] = {}


def metric(*class_names: str, name: str | None = None) -> Callable[[Builder], Builder]:
    """Registers a function that makes a metric's computation from its configuration.

    Args:
        class_names: The names that a `MetricConfig.class_name` may have.
        name: The metric's default name; without it the class name in snake case.
    """

    def register(builder: Builder) -> Builder:
        for class_name in class_names:
            _BUILDERS[class_name] = (name or snake_case(class_name), builder)
        return builder

    return register


def build_metric(class_name: str, config: str | Mapping[str, Any] = "") -> tuple[str, Computation]:
    """Returns a metric's name and computation.

    Args:
        class_name: As in `MetricConfig.class_name`, such as `"AUC"`.
        config: The metric's arguments as JSON, as in `MetricConfig.config`, or as a dict.

    Raises:
        ValueError: If there is no such metric, or it takes no such argument.
    """
    load_metrics()
    if class_name not in _BUILDERS:
        hint = nearest(class_name, _BUILDERS)
        raise ValueError(
            f"There is no metric {class_name!r}.{hint} Metrics: {', '.join(sorted(_BUILDERS))}"
        )
    default_name, builder = _BUILDERS[class_name]
    arguments = dict(parse_metric_config(class_name, config))
    name = str(arguments.pop("name", None) or default_name)
    arguments.pop("dtype", None)
    if arguments.pop("reduction", "auto") not in ("auto", "sum_over_batch_size", None):
        raise ValueError(f"The metric {class_name} averages; no other reduction is supported.")
    known = inspect.signature(builder).parameters
    for argument in arguments:
        if argument not in known:
            raise ValueError(
                f"The metric {class_name} takes no argument {argument!r}. "
                f"Arguments: {', '.join(['name', *known])}"
            )
    return name, builder(**arguments)


def parse_metric_config(class_name: str, config: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """Parses `MetricConfig.config`: a JSON object, with or without its braces."""
    if not isinstance(config, str):
        return config
    text = config.strip()
    if not text:
        return {}
    try:
        parsed = json.loads(text if text.startswith("{") else "{" + text + "}")
    except json.JSONDecodeError as error:
        raise ValueError(
            f"The config of metric {class_name} is not JSON: {error}. Received: {config}"
        ) from error
    return parsed  # type: ignore[no-any-return]


def metric_names() -> list[str]:
    """Returns the class names of all metrics, sorted."""
    load_metrics()
    return sorted(_BUILDERS)


def load_metrics() -> None:
    """Imports the modules that register metrics."""
    from penstock.evaluation.metrics import binary, means, multiclass, plots  # noqa: F401


def snake_case(name: str) -> str:
    """Returns a class name as Keras names its instances: `BinaryAccuracy` is `binary_accuracy`."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
