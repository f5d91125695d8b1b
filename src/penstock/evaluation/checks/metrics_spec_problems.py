"""What is wrong with a MetricsSpec: its models, outputs, classes, averages and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from penstock.evaluation.checks.problem import ConfigProblem
from penstock.evaluation.keys import SubKey
from penstock.evaluation.metrics.catalog import CATALOG, read_metric_config
from penstock.evaluation.metrics.declarations import MetricDeclaration
from penstock.evaluation.metrics.modules import (
    COUNTS,
    catalog_key,
    declaration_of,
    is_built_in,
    is_tfma,
    refusal,
)
from penstock.evaluation.requested_metrics import best_ranks, metric_name_and_meaning, own_sub_key
from penstock.spelling import nearest

_OF_LISTS = ("SetMatch", "Rouge", "Bleu", "ExactMatch")
_OWN_CLASS = {"top_k", "class_id"}


def metrics_spec_problems(config: Any, spec: Any, place: str) -> Iterator[ConfigProblem]:
    """Yield what is wrong with a `MetricsSpec`, its thresholds aside.

    Args:
        config: The `EvalConfig`.
        spec: The `MetricsSpec`.
        place: Where it stands, such as `metrics_specs[0]`.
    """
    named = (spec.thresholds, spec.per_slice_thresholds, spec.cross_slice_thresholds)
    if not spec.metrics and not any(named):
        yield ConfigProblem(place, "has no metrics and no thresholds.")
    names = [model.name for model in config.model_specs]
    known = names if len(names) > 1 else [*names, "", "candidate", "baseline"]
    for name in spec.model_names:
        if name not in known:
            yield ConfigProblem(
                f"{place}.model_names",
                f"there is no model {name!r}.{nearest(name, names)} Models: {', '.join(names)}",
            )
    yield from _outputs(config, spec, place)
    yield from _classes(spec, place)
    if spec.HasField("example_weights"):
        options = spec.example_weights
        if not options.weighted and not options.unweighted:
            yield ConfigProblem(f"{place}.example_weights", "set weighted or unweighted, or both.")
        elif options.weighted and (lacking := _without_weights(config, spec)) is not None:
            of = f" of the output {lacking!r}" if lacking else ""
            yield ConfigProblem(
                f"{place}.example_weights",
                f"weighted needs the weights' feature{of}: set example_weight_key in the ModelSpec.",
            )
    for i, metric in enumerate(spec.metrics):
        yield from _metric(metric, spec, f"{place}.metrics[{i}]")


def _without_weights(config: Any, spec: Any) -> str | None:
    """Return an output for which a model has no weights, or None."""
    for model in config.model_specs or [type(config)().model_specs.add()]:
        if spec.model_names and model.name not in spec.model_names:
            continue
        for output_name in spec.output_names or [""]:
            if not model.example_weight_key and output_name not in model.example_weight_keys:
                return str(output_name)
    return None


def _outputs(config: Any, spec: Any, place: str) -> Iterator[ConfigProblem]:
    if unknown := set(spec.output_weights) - set(spec.output_names):
        yield ConfigProblem(
            f"{place}.output_weights",
            f"{min(unknown)!r} is not among the output_names: {list(spec.output_names)}",
        )
    if spec.output_weights and spec.HasField("aggregate"):
        yield ConfigProblem(
            place, "output_weights and aggregate cannot be combined; use two MetricsSpecs."
        )
    for model in config.model_specs:
        if spec.model_names and model.name not in spec.model_names:
            continue
        for field in ("label_keys", "prediction_keys", "example_weight_keys"):
            if getattr(model, field) and spec.metrics and not spec.output_names:
                outputs = ", ".join(sorted(getattr(model, field)))
                yield ConfigProblem(
                    place,
                    f"the ModelSpec has {field} by output ({outputs}); name some in output_names.",
                )
        if model.prediction_key and spec.output_names:
            yield ConfigProblem(
                f"{place}.output_names",
                "the ModelSpec's prediction_key would hide them; set prediction_keys, or neither.",
            )
        for name in spec.output_names:
            if model.label_keys and name not in model.label_keys:
                yield ConfigProblem(
                    f"{place}.output_names",
                    f"label_keys has no label for {name!r}.{nearest(name, model.label_keys)} "
                    f"It has: {', '.join(sorted(model.label_keys))}",
                )


def _classes(spec: Any, place: str) -> Iterator[ConfigProblem]:
    for field, lists in (
        ("binarize", ("class_ids", "k_list", "top_k_list")),
        ("aggregate", ("top_k_list",)),
    ):
        options = getattr(spec, field)
        for name in lists:
            least = 0 if name == "class_ids" else 1
            for value in getattr(options, name).values:
                if value < least:
                    yield ConfigProblem(
                        f"{place}.{field}.{name}", f"must be at least {least}. Received: {value}"
                    )
    if spec.HasField("binarize") and not any(
        getattr(spec.binarize, name).values for name in ("class_ids", "k_list", "top_k_list")
    ):
        yield ConfigProblem(f"{place}.binarize", "set class_ids, k_list or top_k_list.")
    if not spec.HasField("aggregate"):
        return
    kind = spec.aggregate.WhichOneof("type")
    if kind is None or not getattr(spec.aggregate, kind):
        yield ConfigProblem(
            f"{place}.aggregate",
            "set micro_average, macro_average or weighted_macro_average to true.",
        )
    elif kind != "micro_average" and not (
        spec.aggregate.class_weights or spec.aggregate.top_k_list.values
    ):
        yield ConfigProblem(
            f"{place}.aggregate",
            f"{kind} needs class_weights (which classes, and how much each counts) or a top_k_list.",
        )
    if spec.aggregate.class_weights and spec.aggregate.top_k_list.values:
        yield ConfigProblem(
            f"{place}.aggregate", "class_weights and top_k_list cannot be combined."
        )


def _threshold_of_many(metric: Any) -> str:
    """Return what is wrong with a metric's own thresholds, if it has many values named by its arguments."""
    declaration = declaration_of(metric)
    own = (metric.per_slice_thresholds, metric.cross_slice_thresholds)
    if declaration is None or declaration.values is None:
        return ""
    if not metric.HasField("threshold") and not any(own):
        return ""
    name, arguments = read_metric_config(metric.class_name, metric.config)
    example = next(iter(declaration.values(name, arguments)))[0]
    return (
        f"{metric.class_name} has many values; set thresholds by their names in MetricsSpec.thresholds or "
        f"per_slice_thresholds, such as {example!r}."
    )


def _metric(metric: Any, spec: Any, place: str) -> Iterator[ConfigProblem]:
    if not metric.class_name:
        yield ConfigProblem(place, "has no class_name.")
        return
    if is_tfma(metric.module) and not is_built_in(metric) and not refusal(metric):
        yield ConfigProblem(
            place,
            f"TFMA's {metric.class_name} is not computed here.{nearest(metric.class_name, CATALOG)} "
            "penstock.evaluation.metric_names() lists the supported ones.",
        )
        return
    try:
        metric_name_and_meaning(metric)
    except ValueError as error:
        yield ConfigProblem(place, str(error))
        return
    if problem := _threshold_of_many(metric):
        yield ConfigProblem(place, problem)
    own = own_sub_key(metric)
    if own != SubKey() and (spec.HasField("binarize") or spec.HasField("aggregate")):
        yield ConfigProblem(
            place,
            f"{metric.class_name} is for {own}, and its MetricsSpec also binarizes or aggregates; "
            "use one of the two.",
        )
    if spec.aggregate.micro_average and not is_built_in(metric):
        yield ConfigProblem(
            place,
            f"{metric.class_name} is your own metric, which has no micro average here; put it in a "
            "separate MetricsSpec.",
        )
    declaration = declaration_of(metric)
    if declaration is not None:
        yield from _query(metric, declaration, spec, place)
    if spec.HasField("aggregate") and declaration is not None:
        if declaration.binarizes and not declaration.aggregates and metric.class_name not in COUNTS:
            yield ConfigProblem(
                place,
                f"{metric.class_name} has no average over classes; put it in a separate MetricsSpec.",
            )
        kind = spec.aggregate.WhichOneof("type")
        if metric.class_name.startswith("Sparse"):
            yield ConfigProblem(
                place,
                f"{metric.class_name} is of class ids and has no average over classes. Use "
                f"{metric.class_name.removeprefix('Sparse')}, or a separate MetricsSpec.",
            )
        macro = kind in ("macro_average", "weighted_macro_average")
        if macro and declaration.is_structured and declaration.aggregates:
            yield ConfigProblem(
                place,
                f"{metric.class_name} is not a number and has no {kind}; put it in a separate "
                "MetricsSpec.",
            )


def _no_query(metric: Any, declaration: MetricDeclaration, spec: Any) -> str:
    """Return why a metric is not computed of all rows of the queries, or nothing."""
    if declaration.ranks or declaration.by_tfma or metric.class_name in COUNTS:
        return ""
    if (
        declaration.compares
        or declaration.features
        or declaration.is_attribution
        or metric.class_name.startswith(_OF_LISTS)
    ):
        return "needs more of a row than its label, prediction and weight"
    _, arguments = read_metric_config(catalog_key(metric), metric.config)
    if spec.HasField("binarize") or spec.HasField("aggregate") or _OWN_CLASS & set(arguments):
        return "has no single classes of them"
    return ""


def _query(
    metric: Any, declaration: MetricDeclaration, spec: Any, place: str
) -> Iterator[ConfigProblem]:
    """Yield what is wrong between a metric and the `query_key` of its MetricsSpec."""
    if declaration.ranks and not spec.query_key:
        yield ConfigProblem(
            place,
            f"{metric.class_name} is of queries. Set query_key in its MetricsSpec: the feature that the "
            "rows of a query have in common.",
        )
    elif spec.query_key and (why := _no_query(metric, declaration, spec)):
        yield ConfigProblem(
            place,
            f"{metric.class_name} is of rows, not of queries, and {why}; put it in a MetricsSpec without "
            "query_key.",
        )
    if "top_k_list" in declaration.arguments:
        if not best_ranks(spec, metric):
            yield ConfigProblem(
                place,
                f'{metric.class_name} needs the numbers of best documents, such as config=\'"top_k_list": '
                "[1, 10]', or binarize.top_k_list in its MetricsSpec.",
            )
        elif spec.binarize.class_ids.values or spec.binarize.k_list.values:
            yield ConfigProblem(
                place,
                f"{metric.class_name} is for the best documents; binarize by top_k_list only.",
            )
