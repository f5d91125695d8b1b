"""The metrics, their names and their arguments; without NumPy.

A pipeline file is checked against this table before anything runs. `registry.metric` holds each
implementation to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.spelling import nearest


@dataclass(frozen=True)
class MetricDeclaration:
    """A metric as an EvalConfig may ask for it.

    Args:
        name: The name of its value, unless the configuration gives one.
        arguments: The kind of each argument: "int", "number", "numbers" (one or a list), "bool", "text".
        required: Arguments without a default.
        choices: The values that an argument of text may have.
        is_plot: Whether it goes among the plots.
        is_structured: Whether its value is neither a number nor an array.
        binarizes: Whether it has a value for a single class.
        aggregates: Whether it has an average over classes.
        needs_label: Whether it needs labels.
    """

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_plot: bool = False
    is_structured: bool = False
    binarizes: bool = True
    aggregates: bool = True
    needs_label: bool = True


_MATRIX_METRICS = """
    TruePositives TP TrueNegatives TN FalsePositives FP FalseNegatives FN BinaryAccuracy Precision PPV
    Recall TPR Specificity TNR FallOut FPR MissRate FNR NegativePredictiveValue NPV FalseDiscoveryRate
    FalseOmissionRate Prevalence PrevalenceThreshold ThreatScore BalancedAccuracy F1Score
    MatthewsCorrelationCoefficient FowlkesMallowsIndex Informedness Markedness PositiveLikelihoodRatio
    NegativeLikelihoodRatio DiagnosticOddsRatio PredictedPositiveRate
"""
_PLAIN_METRICS = """
    MeanAbsoluteError MeanSquaredError MeanAbsolutePercentageError MeanSquaredLogarithmicError
    RootMeanSquaredError MeanLabel Calibration SquaredPearsonCorrelation
    SparseCategoricalAccuracy CategoricalAccuracy Accuracy
"""
_CURVE = {"num_thresholds": "int", "thresholds": "numbers", "top_k": "int", "class_id": "int"}
_ENTROPY = {"from_logits": "bool", "label_smoothing": "number"}
_METHODS = ("interpolation", "minoring", "majoring")


def snake_case(name: str) -> str:
    """Return a class name as Keras names its instances: `BinaryAccuracy` is `binary_accuracy`."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _best_at(constraint: str) -> tuple[dict[str, str], tuple[str, ...]]:
    return {constraint: "numbers", **_CURVE}, (constraint,)


def _catalog() -> dict[str, MetricDeclaration]:
    def declared(class_name: str, arguments: Mapping[str, str] | None = None, **more: Any) -> None:
        name = more.pop("name", None) or snake_case(class_name)
        found[class_name] = MetricDeclaration(name, arguments or {}, **more)

    found: dict[str, MetricDeclaration] = {}
    for class_name in _MATRIX_METRICS.split():
        declared(class_name, _CURVE)
    for class_name in _PLAIN_METRICS.split():
        declared(class_name)
    for class_name in ("ExampleCount", "WeightedExampleCount"):
        declared(class_name, aggregates=False, needs_label=False)
    declared("MeanPrediction", needs_label=False)
    declared(
        "ConfusionMatrixAtThresholds", _only("thresholds", "num_thresholds"), is_structured=True
    )
    curves = {"curve": ("ROC", "PR"), "summation_method": _METHODS}
    auc = {**_CURVE, "summation_method": "text", "curve": "text"}
    declared("AUC", {**auc, "multi_label": "bool", "from_logits": "bool"}, choices=curves)
    methods = {"summation_method": _METHODS}
    declared("AUCPrecisionRecall", {**_CURVE, "summation_method": "text"}, choices=methods)
    for class_name, constraint in (
        ("SensitivityAtSpecificity", "specificity"),
        ("SpecificityAtSensitivity", "sensitivity"),
        ("PrecisionAtRecall", "recall"),
        ("RecallAtPrecision", "precision"),
        ("RecallAtFalsePositiveRate", "false_positive_rate"),
    ):
        arguments, required = _best_at(constraint)
        declared(class_name, arguments, required=required)
    declared("SparseTopKCategoricalAccuracy", {"k": "int"})
    declared("TopKCategoricalAccuracy", {"k": "int"})
    declared("SparseCategoricalCrossentropy", {"from_logits": "bool"})
    declared("CategoricalCrossentropy", _ENTROPY)
    declared("BinaryCrossentropy", _ENTROPY)
    declared("BinaryCrossEntropy", _ENTROPY, name="binary_crossentropy")
    plot = {"is_plot": True, "is_structured": True}
    whole = {"is_structured": True, "binarizes": False, "aggregates": False}
    declared("MultiClassConfusionMatrixAtThresholds", _only("thresholds"), **whole)
    declared("ConfusionMatrixPlot", _only("num_thresholds"), **plot)
    declared("CalibrationPlot", {"num_buckets": "int", "left": "number", "right": "number"}, **plot)
    declared(
        "MultiClassConfusionMatrixPlot",
        _only("thresholds", "num_thresholds"),
        is_plot=True,
        **whole,
    )
    return found


def _only(*names: str) -> dict[str, str]:
    return {name: _CURVE[name] for name in names}


CATALOG: Mapping[str, MetricDeclaration] = _catalog()
"""Each metric by the class name that a `MetricConfig` uses."""


def metric_names() -> list[str]:
    """Return the class names of all metrics, sorted."""
    return sorted(CATALOG)


def read_metric_config(
    class_name: str, config: str | Mapping[str, Any] = ""
) -> tuple[str, dict[str, Any]]:
    """Return a metric's name and its arguments.

    Args:
        class_name: As in `MetricConfig.class_name`, such as `"AUC"`.
        config: The metric's arguments as JSON, as in `MetricConfig.config`, or as a dict.

    Raises:
        ValueError: If there is no such metric, it takes no such argument, or not such a value.

    Example:
        >>> read_metric_config("AUC", '"curve": "PR", "name": "auc_pr"')
        ('auc_pr', {'curve': 'PR'})
    """
    if class_name not in CATALOG:
        known = f" Metrics: {', '.join(sorted(CATALOG))}."
        raise ValueError(
            f"There is no metric {class_name!r}.{nearest(class_name, CATALOG) or known} Your own "
            "metric needs MetricConfig(module=...), the module that defines it."
        )
    declaration = CATALOG[class_name]
    arguments = dict(parse_metric_config(class_name, config))
    name = str(arguments.pop("name", None) or declaration.name)
    _pop_dtype_and_reduction(class_name, arguments)
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
            raise ValueError(
                f"The metric {class_name} needs the argument {argument!r}, such as "
                f"config='\"{argument}\": 0.5'."
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


def _pop_dtype_and_reduction(class_name: str, arguments: dict[str, Any]) -> None:
    """Take out what Keras writes into every metric's configuration."""
    dtype = arguments.pop("dtype", None)
    if isinstance(dtype, Mapping):
        dtype = (dtype.get("config") or {}).get("name")
    if dtype not in (None, "float32", "float64"):
        raise ValueError(
            f"The metric {class_name} is computed in float64; dtype={dtype!r} has no effect. "
            "Leave it out."
        )
    if arguments.pop("reduction", "auto") not in ("auto", "sum_over_batch_size", None):
        raise ValueError(f"The metric {class_name} is a mean; no other reduction is supported.")


def _check_value(
    class_name: str, argument: str, declaration: MetricDeclaration, value: object
) -> None:
    kind = declaration.arguments[argument]
    choices = declaration.choices.get(argument, ())
    if not _KINDS[kind](value):
        expected = {"int": "a whole number", "number": "a number", "bool": "true or false"}
        expected |= {"numbers": "a number or a list of numbers", "text": "text"}
        raise ValueError(f"{class_name}'s {argument} must be {expected[kind]}. Received: {value!r}")
    if choices and str(value).lower() not in map(str.lower, choices):
        *first, last = map(repr, choices)
        raise ValueError(
            f"{class_name}'s {argument} must be {', '.join(first)} or {last}. Received: {value!r}"
        )


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_KINDS: Mapping[str, Callable[[Any], bool]] = {
    "int": _is_int,
    "number": _is_number,
    "numbers": lambda v: all(map(_is_number, v)) if isinstance(v, list | tuple) else _is_number(v),
    "bool": lambda value: isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
}
