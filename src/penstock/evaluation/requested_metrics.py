"""The metric values that a resolved EvalConfig asks for, by their keys, and the thresholds on them.

Needs no NumPy: what a pipeline file asks for is known before anything is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from penstock.evaluation.keys import MetricKey, SubKey
from penstock.evaluation.metrics.catalog import (
    MetricDeclaration,
    parse_metric_config,
    read_metric_config,
    snake_case,
)
from penstock.evaluation.metrics.modules import (
    catalog_key,
    declaration_of,
    is_built_in,
    refusal,
)

Classes = list[tuple[SubKey | None, str | None]]
"""Classes or ranks, each with the kind of its average, if it is one."""


@dataclass(frozen=True)
class MetricRequest:
    """One value that is asked for.

    Args:
        key: What names it.
        metric: The `MetricConfig`.
        spec_index: Which MetricsSpec it stands in.
        averages_outputs: Whether it is the mean over outputs that `output_weights` asks for.
        place: Where the MetricConfig stands, such as `metrics_specs[0].metrics[1]`.
        part: For a metric of several values, the argument that names this one.
    """

    key: MetricKey
    metric: Any
    spec_index: int
    averages_outputs: bool
    place: str
    part: str = ""


@dataclass(frozen=True)
class ThresholdRequest:
    """One `MetricThreshold` with the keys that it is on.

    Args:
        name: The metric's name.
        keys: Of the evaluated models' metrics; empty if none is computed.
        slicing: The `SlicingSpec` whose slices it applies to, or the `CrossSlicingSpec` whose
            comparisons; None for all slices.
        threshold: The `MetricThreshold`.
        place: Where it stands.
    """

    name: str
    keys: tuple[MetricKey, ...]
    slicing: Any
    threshold: Any
    place: str


def metric_name_and_meaning(metric: Any) -> tuple[str, str]:
    """Return a `MetricConfig`'s name, and a text that is equal where the same is computed.

    Raises:
        ValueError: If its configuration is faulty.
    """
    if is_built_in(metric) or not metric.module or refusal(metric):
        if reason := refusal(metric):
            raise ValueError(f"{metric.class_name} is not computed: {reason}.")
        name, arguments = read_metric_config(catalog_key(metric), metric.config)
        module = "losses" if catalog_key(metric) != metric.class_name else ""
    else:
        arguments = dict(parse_metric_config(metric.class_name, metric.config))
        name = str(arguments.pop("name", None) or snake_case(metric.class_name))
        module = metric.module
    return name, json.dumps([metric.class_name, module, arguments], sort_keys=True)


def metric_requests(config: Any) -> list[MetricRequest]:
    """Return every value that a resolved EvalConfig asks for, in its order.

    A value that is asked for twice is there twice.

    Raises:
        ValueError: If a metric's configuration is faulty.
    """
    found = []
    for i, spec in enumerate(config.metrics_specs):
        for j, metric in enumerate(spec.metrics):
            place = f"metrics_specs[{i}].metrics[{j}]"
            for name, part in _names_and_parts(metric):
                for key, averages in _keys(config, spec, name, metric):
                    found.append(MetricRequest(key, metric, i, averages, place, part))
    return found


def _names_and_parts(metric: Any) -> Iterator[tuple[str, str]]:
    declaration = declaration_of(metric)
    if declaration is not None and declaration.values is not None:
        yield from declaration.values(*read_metric_config(catalog_key(metric), metric.config))
        return
    if declaration is None or not declaration.parts:
        yield metric_name_and_meaning(metric)[0], ""
        return
    _, arguments = read_metric_config(catalog_key(metric), metric.config)
    for part, name in declaration.parts.items():
        yield str(arguments.get(part, name)), part


def metric_features(config: Any) -> Iterator[tuple[str, str]]:
    """Yield the features that metrics are computed from, each with the place of the metric that names it.

    Raises:
        ValueError: If a metric's configuration is faulty.
    """
    for i, spec in enumerate(config.metrics_specs):
        if spec.query_key:
            yield f"metrics_specs[{i}].query_key", spec.query_key
        for j, metric in enumerate(spec.metrics):
            declaration = declaration_of(metric)
            if declaration is None:
                continue
            _, arguments = read_metric_config(catalog_key(metric), metric.config)
            place = f"metrics_specs[{i}].metrics[{j}]"
            for name in declaration.features:
                if name in arguments:
                    yield place, arguments[name]
            for value in arguments.values():
                # A path of TFMA's extracts.
                if isinstance(value, list) and len(value) == 2 and value[0] == "features":
                    yield place, value[1]


def threshold_requests(
    config: Any, requests: Sequence[MetricRequest]
) -> Iterator[ThresholdRequest]:
    """Yield every threshold of a resolved EvalConfig with the evaluated models' keys that it is on."""
    baselines = {spec.name for spec in config.model_specs if spec.is_baseline}
    candidates = [each for each in requests if each.key.model_name not in baselines]
    for i, spec in enumerate(config.metrics_specs):
        place = f"metrics_specs[{i}]"
        for name, threshold in sorted(spec.thresholds.items()):
            keys = _named(name, spec, i, candidates)
            yield ThresholdRequest(name, keys, None, threshold, f"{place}.thresholds[{name!r}]")
        for name, named in sorted(spec.per_slice_thresholds.items()):
            where = f"{place}.per_slice_thresholds[{name!r}]"
            keys = _named(name, spec, i, candidates)
            yield from _per_slice(name, keys, named.thresholds, f"{where}.thresholds")
        for name, cross in sorted(spec.cross_slice_thresholds.items()):
            where = f"{place}.cross_slice_thresholds[{name!r}]"
            keys = _named(name, spec, i, candidates)
            yield from _cross_slice(name, keys, cross.thresholds, f"{where}.thresholds")
        for j, metric in enumerate(spec.metrics):
            where = f"{place}.metrics[{j}]"
            name, _ = metric_name_and_meaning(metric)
            # The mean over outputs has no threshold of the single outputs' metric, as in TFMA.
            keys = tuple(
                each.key for each in candidates if each.place == where and not each.averages_outputs
            )
            if metric.HasField("threshold"):
                yield ThresholdRequest(name, keys, None, metric.threshold, f"{where}.threshold")
            entries = metric.per_slice_thresholds
            yield from _per_slice(name, keys, entries, f"{where}.per_slice_thresholds")
            compared = metric.cross_slice_thresholds
            yield from _cross_slice(name, keys, compared, f"{where}.cross_slice_thresholds")


def _per_slice(
    name: str, keys: tuple[MetricKey, ...], entries: Any, place: str
) -> Iterator[ThresholdRequest]:
    for i, entry in enumerate(entries):
        for slicing in entry.slicing_specs:
            yield ThresholdRequest(name, keys, slicing, entry.threshold, f"{place}[{i}]")


def _cross_slice(
    name: str, keys: tuple[MetricKey, ...], entries: Any, place: str
) -> Iterator[ThresholdRequest]:
    for i, entry in enumerate(entries):
        for slicing in entry.cross_slicing_specs:
            yield ThresholdRequest(name, keys, slicing, entry.threshold, f"{place}[{i}]")


def _named(
    name: str, spec: Any, spec_index: int, requests: Sequence[MetricRequest]
) -> tuple[MetricKey, ...]:
    """Return the keys that a threshold set by name is on: its own MetricsSpec's, or those alike."""
    named = [r for r in requests if r.key.name == name]
    own = [r.key for r in named if r.spec_index == spec_index and not r.averages_outputs]
    if own:
        return tuple(dict.fromkeys(own))
    models, outputs = list(spec.model_names) or [""], list(spec.output_names) or [""]
    classes = _classes_of(spec)
    keys = [
        r.key
        for r in named
        if r.key.model_name in models
        and r.key.output_name in outputs
        and (r.key.sub_key, r.key.aggregation) in classes
    ]
    return tuple(dict.fromkeys(keys))


def _keys(config: Any, spec: Any, name: str, metric: Any) -> Iterator[tuple[MetricKey, bool]]:
    declaration = declaration_of(metric) or MetricDeclaration(name)
    classes: Classes = _classes_of(spec)
    own = own_sub_key(metric)
    if declaration.is_single:
        yield MetricKey(name, example_weighted="example_weights_key_path" in metric.config), False
        return
    if own != SubKey():
        classes = [(own, None)]
    elif "top_k_list" in declaration.arguments:
        classes = [(SubKey(top_k=k), None) for k in best_ranks(spec, metric)]
    elif not declaration.binarizes:
        classes = [(None, None)]
    elif not declaration.aggregates:
        # A count is the same for all classes; TFMA's key of it has no micro average.
        classes = [(rank, None if kind == "micro_average" else kind) for rank, kind in classes]
    baselines = {model.name for model in config.model_specs if model.is_baseline}
    for model_name in spec.model_names or [""]:
        if declaration.compares and model_name in baselines:
            continue
        for output_name in spec.output_names or [""]:
            weightings = _weightings(config, spec, model_name, output_name)
            if declaration.ignores_weights:
                weightings = [False]
            elif declaration.features and '"weight_key"' in metric.config:
                weightings = [True]
            for weighted in weightings:
                base = MetricKey(
                    name,
                    model_name,
                    output_name,
                    example_weighted=weighted,
                    is_diff=declaration.compares,
                )
                for sub_key, kind in classes:
                    yield replace(base, sub_key=sub_key, aggregation=kind), False
        if spec.output_weights and not declaration.is_structured and not declaration.compares:
            of_outputs = {
                weighted: None
                for output_name in spec.output_names
                for weighted in _weightings(config, spec, model_name, output_name)
            }
            for weighted in of_outputs:
                for sub_key, _ in classes:
                    base = MetricKey(name, model_name, "", example_weighted=weighted)
                    yield replace(base, sub_key=sub_key), True


def best_ranks(spec: Any, metric: Any) -> list[int]:
    """Return the numbers of the best documents that a ranking metric is for, each once."""
    _, arguments = read_metric_config(catalog_key(metric), metric.config)
    ranks = [*spec.binarize.top_k_list.values, *arguments.get("top_k_list", ())]
    return list(dict.fromkeys(ranks))


def _classes_of(spec: Any) -> Classes:
    """Return the classes, ranks and average that a MetricsSpec asks for."""
    binarize, aggregate = spec.binarize, spec.aggregate
    found: Classes = []
    found += [(SubKey(class_id=v), None) for v in binarize.class_ids.values]
    found += [(SubKey(k=v), None) for v in binarize.k_list.values]
    found += [(SubKey(top_k=v), None) for v in binarize.top_k_list.values]
    if spec.HasField("aggregate"):
        kind = aggregate.WhichOneof("type")
        ranks = [SubKey(top_k=k) for k in aggregate.top_k_list.values]
        found += [(rank, kind) for rank in ranks] or [(None, kind)]
    return found or [(None, None)]


def own_sub_key(metric: Any) -> SubKey:
    """Return the class or rank that a metric's own arguments restrict it to."""
    declaration = declaration_of(metric)
    if declaration is None or not declaration.takes_class:
        return SubKey()
    _, arguments = read_metric_config(catalog_key(metric), metric.config)
    return SubKey(class_id=arguments.get("class_id"), top_k=arguments.get("top_k"))


def _weightings(config: Any, spec: Any, model_name: str, output_name: str) -> list[bool]:
    if spec.HasField("example_weights"):
        options = spec.example_weights
        return [True] * options.weighted + [False] * options.unweighted or [False]
    for model_spec in config.model_specs:
        if model_spec.name == model_name and (
            model_spec.example_weight_key or output_name in model_spec.example_weight_keys
        ):
            return [True]
    return [False]
