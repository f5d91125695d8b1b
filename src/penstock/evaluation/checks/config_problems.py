"""What an EvalConfig says that cannot be, in words; without NumPy, so that a pipeline file can be checked.

Whatever is not computed is refused here: a field that is in none of the tables below is one that this
version does not know what to do with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from penstock.evaluation.checks.metrics_spec_problems import metrics_spec_problems
from penstock.evaluation.checks.problem import ConfigProblem
from penstock.evaluation.checks.threshold_problems import threshold_problems
from penstock.evaluation.config import ConfidenceIntervalOptions
from penstock.evaluation.keys import MetricKey
from penstock.evaluation.metrics.modules import declaration_of
from penstock.evaluation.requested_metrics import (
    MetricRequest,
    metric_name_and_meaning,
    metric_requests,
)
from penstock.evaluation.resolve import resolve_models

NOT_COMPUTED = {
    "SlicingSpec.slice_keys_sql": "slices by SQL are not computed. Name features in feature_keys, and "
    "compute the query's result as a feature in Transform.",
    "ModelSpec.padding_options": "labels and predictions of different lengths are not padded.",
}
"""Fields that are refused when they are set, and why."""

COMPUTED: Mapping[str, frozenset[str]] = {
    name: frozenset(fields.split())
    for name, fields in {
        "EvalConfig": "model_specs slicing_specs cross_slicing_specs metrics_specs options",
        "ModelSpec": "name model_type signature_name preprocessing_function_names label_key label_keys "
        "prediction_key prediction_keys example_weight_key example_weight_keys is_baseline "
        "inference_batch_size",
        "SlicingSpec": "feature_keys feature_values",
        "CrossSlicingSpec": "baseline_spec slicing_specs",
        "CrossSliceMetricThreshold": "cross_slicing_specs threshold",
        "CrossSliceMetricThresholds": "thresholds",
        "MetricsSpec": "query_key metrics model_names output_names output_weights binarize aggregate "
        "example_weights thresholds per_slice_thresholds cross_slice_thresholds",
        "MetricConfig": "class_name module config threshold per_slice_thresholds "
        "cross_slice_thresholds",
        "BinarizationOptions": "class_ids k_list top_k_list",
        "AggregationOptions": "micro_average macro_average weighted_macro_average class_weights "
        "top_k_list",
        "ExampleWeightOptions": "weighted unweighted",
        "MetricThreshold": "value_threshold change_threshold",
        "GenericValueThreshold": "lower_bound upper_bound",
        "GenericChangeThreshold": "absolute relative direction",
        "PerSliceMetricThreshold": "slicing_specs threshold",
        "PerSliceMetricThresholds": "thresholds",
        "Options": "include_default_metrics compute_confidence_intervals confidence_intervals "
        "min_slice_size disabled_outputs",
        "ConfidenceIntervalOptions": "method",
        "RepeatedInt32Value": "values",
        "RepeatedStringValue": "values",
    }.items()
}
"""The fields that have an effect, by message."""

MODEL_TYPES = ("tf_keras", "tf_generic", "tf_estimator", "tf_lite", "keras")
"""How TFMA names SavedModels, which are all read alike here, and TFLite's files; `.keras` files."""

DISABLED_OUTPUTS = ("plots", "attributions", "analysis")
"""What `Options.disabled_outputs` may leave out; TFMA's analysis table is never written."""


def config_problems(config: Any) -> Iterator[ConfigProblem]:
    """Yield the problems of an EvalConfig that do not depend on the data or the model.

    Args:
        config: An `EvalConfig`.
    """
    found = list(_without_keys(config))
    yield from found
    if found:
        return
    has_baseline = any(spec.is_baseline for spec in config.model_specs)
    resolved = resolve_models(config, has_baseline=has_baseline)
    requests = metric_requests(resolved)
    yield from _equal_names(requests)
    yield from _labels(resolved, requests)
    yield from threshold_problems(resolved, requests)


def _without_keys(config: Any) -> Iterator[ConfigProblem]:
    yield from _fields(config, "")
    yield from _models(config)
    for i, spec in enumerate(config.slicing_specs):
        yield from _slicing(spec, f"slicing_specs[{i}]")
    for i, spec in enumerate(config.metrics_specs):
        yield from metrics_spec_problems(config, spec, f"metrics_specs[{i}]")
        if spec.query_key and config.options.compute_confidence_intervals.value:
            yield from _sampled_queries(config.options, f"metrics_specs[{i}].query_key")
    has_saved = config.options.include_default_metrics.value
    if not has_saved and not any(spec.metrics for spec in config.metrics_specs):
        yield ConfigProblem("", "The EvalConfig requests no metrics: metrics_specs has none.")
    yield from _options(config.options)


def refuse_problems(config: Any) -> None:
    """Raise a `ValueError` that names all problems of an EvalConfig, if it has any."""
    found = [str(problem) for problem in config_problems(config)]
    if found:
        lead = "" if len(found) == 1 else f"The EvalConfig has {len(found)} problems:\n"
        raise ValueError(lead + "\n".join(found))


def _fields(message: Message, place: str) -> Iterator[ConfigProblem]:
    """Yield each field that is set but has no effect, at any depth."""
    name = message.DESCRIPTOR.name
    if len(UnknownFieldSet(message)):
        unknown: Any = UnknownFieldSet(message)
        numbers = ", ".join(str(field.field_number) for field in unknown)
        yield ConfigProblem(place, f"{name} has unknown fields: numbers {numbers}.")
    for field, value in message.ListFields():
        where = f"{place}.{field.name}".removeprefix(".")
        if f"{name}.{field.name}" in NOT_COMPUTED:
            shown = f" Received: {value!r}" if isinstance(value, str) else ""
            yield ConfigProblem(where, NOT_COMPUTED[f"{name}.{field.name}"] + shown)
        elif name in COMPUTED and field.name not in COMPUTED[name]:
            yield ConfigProblem(where, f"{name}.{field.name} has no effect here. Leave it out.")
        elif field.message_type is None:
            continue
        elif field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in value:
                    yield from _fields(value[key], f"{where}[{key!r}]")
        elif isinstance(value, Message):
            yield from _fields(value, where)
        else:
            for i, each in enumerate(value):
                yield from _fields(each, f"{where}[{i}]")


def _models(config: Any) -> Iterator[ConfigProblem]:
    for i, spec in enumerate(config.model_specs):
        place = f"model_specs[{i}]"
        if spec.model_type and spec.model_type not in MODEL_TYPES:
            yield ConfigProblem(
                f"{place}.model_type",
                f"only models of these types are evaluated: {', '.join(MODEL_TYPES)}. "
                f"Received: {spec.model_type!r}",
            )
        for one, many in (
            ("label_key", "label_keys"),
            ("prediction_key", "prediction_keys"),
            ("example_weight_key", "example_weight_keys"),
        ):
            if getattr(spec, one) and getattr(spec, many):
                yield ConfigProblem(place, f"{one} and {many} are both set; set one of them.")
        if spec.inference_batch_size < 0:
            yield ConfigProblem(
                f"{place}.inference_batch_size", f"must be positive: {spec.inference_batch_size}"
            )
    names = [spec.name for spec in config.model_specs]
    if len(names) > 1 and (len(set(names)) < len(names) or "" in names):
        yield ConfigProblem(
            "model_specs", f"each of several models needs a name. Received: {names}"
        )
    if names and all(spec.is_baseline for spec in config.model_specs):
        yield ConfigProblem("model_specs", "the only model is the baseline; add the candidate.")


def _slicing(spec: Any, place: str) -> Iterator[ConfigProblem]:
    if both := set(spec.feature_keys) & set(spec.feature_values):
        yield ConfigProblem(
            place, f"{min(both)!r} is in both feature_keys and feature_values; use one of them."
        )


def _equal_names(requests: Sequence[MetricRequest]) -> Iterator[ConfigProblem]:
    """Yield metrics that differ and have one name, of which one would hide the other."""
    seen: dict[MetricKey, tuple[str, str]] = {}
    told = set()
    for request in requests:
        _, meaning = metric_name_and_meaning(request.metric)
        other, where = seen.setdefault(request.key, (meaning, request.place))
        if other != meaning and request.place not in told:
            told.add(request.place)
            yield ConfigProblem(
                request.place,
                f"{where} is a different metric with the same name, {request.key.name!r}. Name "
                "one of "
                f'them: config=\'"name": "{request.key.name}_2"\'.',
            )


def _labels(config: Any, requests: Sequence[MetricRequest]) -> Iterator[ConfigProblem]:
    models = {spec.name: spec for spec in config.model_specs}
    told = set()
    for request in requests:
        declaration = declaration_of(request.metric)
        if request.averages_outputs or (declaration is not None and not declaration.needs_label):
            continue
        spec = models[request.key.model_name]
        has_label = spec.label_key or spec.label_keys.get(request.key.output_name)
        if not has_label and request.place not in told:
            told.add(request.place)
            yield ConfigProblem(
                request.place,
                f"{request.metric.class_name} needs labels, but the ModelSpec has no label_key.",
            )


def _sampled_queries(options: Any, place: str) -> Iterator[ConfigProblem]:
    if options.confidence_intervals.method == ConfidenceIntervalOptions.POISSON_BOOTSTRAP:
        yield ConfigProblem(
            place,
            "queries are not drawn several times: set the method to JACKKNIFE for ranking metrics.",
        )


def _options(options: Any) -> Iterator[ConfigProblem]:
    if options.confidence_intervals.method and not options.compute_confidence_intervals.value:
        yield ConfigProblem(
            "options.confidence_intervals",
            "has no effect without compute_confidence_intervals: set it to true.",
        )
    if options.min_slice_size.value < 0:
        yield ConfigProblem(
            "options.min_slice_size", f"must not be negative: {options.min_slice_size.value}"
        )
    for name in options.disabled_outputs.values:
        if name not in DISABLED_OUTPUTS:
            yield ConfigProblem(
                "options.disabled_outputs",
                f"{name!r} cannot be left out; only {', '.join(DISABLED_OUTPUTS)} can.",
            )
