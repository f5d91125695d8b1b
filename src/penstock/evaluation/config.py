"""The configuration of an evaluation: TensorFlow Model Analysis's messages, without that package.

The messages have TFMA's fields, numbers, JSON and text forms, and need neither TensorFlow nor TFMA
to be imported. Wherever Penstock takes an `EvalConfig`, it also takes TFMA's own message, a dict,
or text.

Example:
    >>> config = EvalConfig(
    ...     model_specs=[ModelSpec(label_key="species")],
    ...     slicing_specs=[SlicingSpec(), SlicingSpec(feature_keys=["island"])],
    ...     metrics_specs=[MetricsSpec(metrics=[MetricConfig(class_name="ExampleCount")])],
    ... )
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format, text_format
from google.protobuf.message import Message

from penstock.evaluation.message_keywords import explained_keywords, nearest_field
from penstock.evaluation.messages import PACKAGE, enum_class, message_class

AggregationOptions: Any = explained_keywords(message_class("AggregationOptions"))
BinarizationOptions: Any = explained_keywords(message_class("BinarizationOptions"))
ConfidenceIntervalOptions: Any = explained_keywords(message_class("ConfidenceIntervalOptions"))
CrossSliceMetricThreshold: Any = explained_keywords(message_class("CrossSliceMetricThreshold"))
CrossSliceMetricThresholds: Any = explained_keywords(message_class("CrossSliceMetricThresholds"))
CrossSlicingSpec: Any = explained_keywords(message_class("CrossSlicingSpec"))
EvalConfig: Any = explained_keywords(message_class("EvalConfig"))
EvalRun: Any = explained_keywords(message_class("EvalRun"))
ExampleWeightOptions: Any = explained_keywords(message_class("ExampleWeightOptions"))
GenericChangeThreshold: Any = explained_keywords(message_class("GenericChangeThreshold"))
GenericValueThreshold: Any = explained_keywords(message_class("GenericValueThreshold"))
MetricConfig: Any = explained_keywords(message_class("MetricConfig"))
MetricDirection: Any = enum_class("MetricDirection")
MetricsSpec: Any = explained_keywords(message_class("MetricsSpec"))
MetricThreshold: Any = explained_keywords(message_class("MetricThreshold"))
ModelSpec: Any = explained_keywords(message_class("ModelSpec"))
Options: Any = explained_keywords(message_class("Options"))
PaddingOptions: Any = explained_keywords(message_class("PaddingOptions"))
PerSliceMetricThreshold: Any = explained_keywords(message_class("PerSliceMetricThreshold"))
PerSliceMetricThresholds: Any = explained_keywords(message_class("PerSliceMetricThresholds"))
RepeatedInt32Value: Any = explained_keywords(message_class("RepeatedInt32Value"))
RepeatedStringValue: Any = explained_keywords(message_class("RepeatedStringValue"))
SlicingSpec: Any = explained_keywords(message_class("SlicingSpec"))


def as_eval_config(config: object) -> Any:
    """Return `config` as this module's `EvalConfig`, as a copy.

    Args:
        config: An `EvalConfig` of this module or of TFMA, a dict in its JSON form, or a string in its
            JSON or protobuf text form.

    Returns:
        An `EvalConfig`.

    Raises:
        TypeError: If `config` is none of these.
        ValueError: If it names a field that does not exist, or does not parse.
    """
    result = EvalConfig()
    if isinstance(config, Message):
        name = config.DESCRIPTOR.full_name
        if name != f"{PACKAGE}.EvalConfig":
            raise TypeError(f"An EvalConfig was expected. Received: a message {name}")
        result.MergeFromString(config.SerializeToString())
        return result
    try:
        if isinstance(config, Mapping):
            return json_format.ParseDict(_unwrapped(EvalConfig.DESCRIPTOR, config), result)
        if isinstance(config, str):
            parse = json_format.Parse if config.lstrip().startswith("{") else text_format.Parse
            return parse(config, result)
    except (json_format.ParseError, text_format.ParseError) as error:
        raise ValueError(f"Not an EvalConfig: {error}{nearest_field(str(error))}") from error
    raise TypeError(
        "An EvalConfig was expected (a message, a dict, or JSON or protobuf text). "
        f"Received: {type(config).__name__}"
    )


def _unwrapped(descriptor: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dict in which `{"value": 0.5}` of an optional number is the number, as JSON has it.

    Keywords of messages take the one form, JSON the other; a dict may have both.
    """
    known = {name: each for each in descriptor.fields for name in (each.name, each.json_name)}
    result = {}
    for key, value in fields.items():
        field = known.get(key)
        kind = None if field is None else field.message_type
        if kind is not None and kind.file.package == "google.protobuf":
            if isinstance(value, Mapping) and set(value) == {"value"}:
                value = value["value"]
        elif kind is not None and kind.GetOptions().map_entry:
            inner = kind.fields_by_name["value"].message_type
            if inner is not None and isinstance(value, Mapping):
                value = {name: _unwrapped_any(inner, each) for name, each in value.items()}
        elif kind is not None:
            value = _unwrapped_any(kind, value)
        result[key] = value
    return result


def _unwrapped_any(descriptor: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        return _unwrapped(descriptor, value)
    if isinstance(value, list | tuple):
        return [_unwrapped_any(descriptor, each) for each in value]
    return value
