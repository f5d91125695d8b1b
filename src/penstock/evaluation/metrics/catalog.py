"""What an EvalConfig may ask of the metrics, and how it is read; without NumPy.

A pipeline file is checked against the table before anything runs. `registry.metric` holds each
implementation to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from penstock.evaluation.metrics.declarations import (
    CATALOG,
    REFUSED,
    MetricDeclaration,
    snake_case,
)
from penstock.spelling import nearest

__all__ = ["CATALOG", "MetricDeclaration", "snake_case"]


def metric_names() -> list[str]:
    """Return the class names of all metrics, sorted."""
    return sorted(CATALOG)


def read_metric_config(
    class_name: str, config: str | Mapping[str, Any] = ""
) -> tuple[str, dict[str, Any]]:
    """Return a metric's name and its arguments.

    Args:
        class_name: As in the table: what `MetricConfig.class_name` is, such as `"AUC"`.
        config: The metric's arguments as JSON, as in `MetricConfig.config`, or as a dict.

    Raises:
        ValueError: If there is no such metric, it takes no such argument, or not such a value.

    Example:
        >>> read_metric_config("AUC", '"curve": "PR", "name": "auc_pr"')
        ('auc_pr', {'curve': 'PR'})
    """
    if class_name not in CATALOG:
        for place in ("tfma", "fairness", "keras.metrics", "keras.losses"):
            if reason := REFUSED.get(f"{place}.{class_name}"):
                raise ValueError(f"{class_name} is not computed: {reason}.")
        known = f" Metrics: {', '.join(sorted(CATALOG))}."
        raise ValueError(
            f"There is no metric {class_name!r}.{nearest(class_name, CATALOG) or known} Your own "
            "metric needs MetricConfig(module=...), the module that defines it."
        )
    declaration = CATALOG[class_name]
    arguments = dict(parse_metric_config(class_name, config))
    if declaration.parts and "name" in arguments:
        raise ValueError(
            f"{class_name} has several values; name them by {', '.join(declaration.parts)}."
        )
    name = str(arguments.pop("name", None) or declaration.name)
    if class_name == "Rouge" and name == declaration.name:
        name = str(arguments.get("rouge_type") or name)
    if class_name == "Mean" and name == declaration.name:
        # TFMA names it by its path.
        name = "_".join((name, ".".join(map(str, arguments.get("feature_key_path") or ()))))
    _pop_what_keras_writes(class_name, arguments)
    # Keras writes out its defaults, as null where there is no value.
    arguments = {key: value for key, value in arguments.items() if value is not None}
    for argument, value in arguments.items():
        if argument not in declaration.arguments:
            raise ValueError(
                f"The metric {class_name} takes no argument {argument!r}."
                f"{nearest(argument, declaration.arguments)} "
                f"Arguments: {', '.join(['name', *declaration.arguments])}"
            )
        _check_value(class_name, argument, declaration, value)
    _check_together(class_name, arguments)
    for argument in declaration.required:
        if argument not in arguments:
            example = _EXAMPLES[declaration.arguments[argument]]
            raise ValueError(
                f"The metric {class_name} needs the argument {argument!r}, such as "
                f"config='\"{argument}\": {example}'."
            )
    return name, arguments


def parse_metric_config(class_name: str, config: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """Parse `MetricConfig.config`: a JSON object, with or without its braces."""
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


def _check_together(class_name: str, arguments: Mapping[str, Any]) -> None:
    for one, other in (("thresholds", "num_thresholds"), ("class_id", "top_k")):
        if one in arguments and other in arguments:
            raise ValueError(
                f"{class_name}: {one} and {other} cannot be combined. "
                f"Received: {one}={arguments[one]}, {other}={arguments[other]}"
            )
    least = {"num_thresholds": 1 if class_name == "ConfusionMatrixPlot" else 2, "top_k": 1, "k": 1}
    for argument, bound in {**least, "class_id": 0, "num_buckets": 1}.items():
        if arguments.get(argument, bound) < bound:
            raise ValueError(
                f"{class_name}'s {argument} must be at least {bound}. Received: {arguments[argument]}"
            )
    if arguments.get("thresholds") == []:
        raise ValueError(f"{class_name}'s thresholds are empty.")


def _pop_what_keras_writes(class_name: str, arguments: dict[str, Any]) -> None:
    """Take out what Keras writes into every metric's configuration."""
    dtype = arguments.pop("dtype", None)
    if isinstance(dtype, Mapping):
        dtype = (dtype.get("config") or {}).get("name")
    if dtype not in (None, "float32", "float64"):
        raise ValueError(
            f"The metric {class_name} is computed in float64; dtype={dtype!r} has no effect. "
            "Leave it out."
        )
    if arguments.pop("axis", -1) not in (-1, 1):
        raise ValueError(f"The metric {class_name} has its values along the last axis, -1.")
    if arguments.pop("from_sorted_ids", False):
        raise ValueError(f"The metric {class_name} takes scores, not sorted ids.")
    if arguments.pop("reduction", "auto") not in ("auto", "sum_over_batch_size", None):
        raise ValueError(f"The metric {class_name} is a mean; no other reduction is supported.")


def _check_value(
    class_name: str, argument: str, declaration: MetricDeclaration, value: object
) -> None:
    kind = declaration.arguments[argument]
    choices = declaration.choices.get(argument, ())
    if not KINDS[kind](value):
        expected = {"int": "a whole number", "number": "a number", "bool": "true or false"}
        expected |= {"numbers": "a number or a list of numbers", "text": "text"}
        expected |= {"ints": "a list of whole numbers", "texts": "a list of texts"}
        raise ValueError(f"{class_name}'s {argument} must be {expected[kind]}. Received: {value!r}")
    if choices and str(value).lower() not in map(str.lower, choices):
        *first, last = map(repr, choices)
        raise ValueError(
            f"{class_name}'s {argument} must be {', '.join(first)} or {last}. Received: {value!r}"
        )


_EXAMPLES = {
    "int": "3",
    "ints": "[0, 1]",
    "number": "0.5",
    "numbers": "0.5",
    "bool": "true",
    "any": "...",
    "text": '"name"',
    "texts": '["features", "name"]',
}


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


KINDS: Mapping[str, Callable[[Any], bool]] = {
    "int": _is_int,
    "number": _is_number,
    "numbers": lambda v: all(map(_is_number, v)) if isinstance(v, list | tuple) else _is_number(v),
    "bool": lambda value: isinstance(value, bool),
    "any": lambda value: True,
    "text": lambda value: isinstance(value, str),
    "texts": lambda v: isinstance(v, list | tuple) and all(isinstance(each, str) for each in v),
    "ints": lambda v: isinstance(v, list | tuple) and all(map(_is_int, v)),
}
