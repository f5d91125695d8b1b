"""Running the analyzers of a `preprocessing_fn` over data, one pass per phase."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import tensorflow as tf
from tensorflow_transform import graph_tools, nodes

from penstock.transform.accumulators import make_accumulator, missing_is_nan
from penstock.transform.analyzer_cache import AnalyzerCache, accumulator_keys, decode, encode
from penstock.transform.features import RawFeatures, explained_failures
from penstock.transform.output_shapes import check_output_shapes
from penstock.transform.phases import Phase, Source, operations, plan_phases
from penstock.transform.preprocessing import describe_function
from penstock.transform.results import ResultVisitor, require_supported
from penstock.transform.tracing import Trace, TracedFn, take_asset_names, trace

Batches = Callable[[], Iterable[pa.RecordBatch]]
"""Opens a data set anew, so that each phase can read it."""


@dataclasses.dataclass(frozen=True)
class Analysis:
    """A `preprocessing_fn` with the results of all its analyzers.

    Attributes:
        trace: the function, with the analyzers' results as constants and assets.
        results: those results, by the name of the tensor that stood for each.
        asset_names: file name of each vocabulary, by the name that the user gave it.
        phases: how many passes over the data it took.
    """

    trace: Trace
    results: Mapping[str, Any]
    asset_names: Mapping[str, str]
    phases: int


def analyze(
    preprocessing_fn: TracedFn,
    features: RawFeatures,
    data_sets: Sequence[tuple[str, Batches]],
    temp_dir: str,
    cache: AnalyzerCache,
) -> Analysis:
    """Run the analyzers of a function.

    Args:
        preprocessing_fn: from raw to transformed features.
        features: the conversion of batches to tensors.
        data_sets: what to analyze, with names; several count as one, and may have equal names if
            they are equal.
        temp_dir: where vocabularies are written; must outlive the result.
        cache: accumulators of earlier runs, and where to keep those of this one; the names of
            `data_sets` are its keys.

    Raises:
        UnsupportedAnalyzerError: if an analyzer needs Beam.
        ValueError: if an output has a shape that a tf.Example cannot hold.
        RuntimeError: if two traces of the function meet its analyzers in different order.
    """
    first = trace(preprocessing_fn, features.type_specs, temp_dir)
    function = describe_function(preprocessing_fn)
    check_output_shapes(first, function)
    for operation in operations(first.sinks):
        require_supported(operation.operation_def)
    asset_names = take_asset_names(first)
    try:
        phases = plan_phases(first)
    except ValueError as error:
        error.add_note(
            "An analyzer can only read tensors computed from the features that preprocessing_fn "
            "receives, from constants and from other analyzers' results."
        )
        raise
    if not phases:
        return Analysis(first, {}, asset_names, 0)

    states: dict[str, list[Any]] = {}
    results: dict[str, Any] = {}
    traverser = nodes.Traverser(ResultVisitor(states, first.graph, temp_dir))
    current = first
    for number, phase in enumerate(phases):
        keys = accumulator_keys(first, phase) if cache.in_use and number == 0 else {}
        for data_set, batches in data_sets:
            known = _load(cache, data_set, phase, keys)
            missing = [source for source in phase.sources if source.operation.label not in known]
            known |= _accumulate(missing, current, features, batches)
            if keys:
                _store(cache, data_set, phase, keys, known)
            for label, state in known.items():
                states.setdefault(label, []).append(state)
        for sink in phase.sinks:
            with missing_is_nan():
                value = traverser.visit_value_node(sink.future)
            results[str(sink.tensor.name)] = tf.constant(value, sink.tensor.dtype)
        current = trace(preprocessing_fn, features.type_specs, temp_dir, results)
    _check_same_analyzers(first, current)
    check_output_shapes(current, function)
    take_asset_names(current)
    return Analysis(current, results, asset_names, len(phases))


def _accumulate(
    sources: Sequence[Source], current: Trace, features: RawFeatures, batches: Batches
) -> dict[str, Any]:
    """Make one pass over a data set and return the states by label."""
    if not sources:
        return {}
    names = sorted({name for source in sources for name in source.tensor_names})
    extract = current.extract(names)
    folds = [(source, make_accumulator(source.operation)) for source in sources]
    for batch in batches():
        if batch.num_rows == 0:
            continue
        with explained_failures(features, batch.num_rows, current.graph):
            tensors = extract(features.tensors(batch))
        values = {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}
        with missing_is_nan():
            for source, accumulator in folds:
                accumulator.add([values[name] for name in source.tensor_names])
    return {source.operation.label: accumulator.state for source, accumulator in folds}


def _load(
    cache: AnalyzerCache, data_set: str, phase: Phase, keys: Mapping[str, str]
) -> dict[str, Any]:
    states = {}
    for source in phase.sources:
        key = keys.get(source.operation.label)
        records = cache.load(data_set, key) if key is not None else None
        if records is not None:
            states[source.operation.label] = decode(source.operation, records)
    return states


def _store(
    cache: AnalyzerCache,
    data_set: str,
    phase: Phase,
    keys: Mapping[str, str],
    states: Mapping[str, Any],
) -> None:
    records = {}
    for source in phase.sources:
        label = source.operation.label
        if label in keys:
            records[keys[label]] = (label, encode(source.operation, states[label]))
    cache.write(data_set, records)


def _check_same_analyzers(first: Trace, final: Trace) -> None:
    """Analyzers are told apart by name, so every trace must meet them in the same order."""
    before = graph_tools.get_analyzers_fingerprint(first.graph, first.inputs)
    after = graph_tools.get_analyzers_fingerprint(final.graph, final.inputs)
    for name, fingerprint in after.items():
        if name not in before or before[name].source_keys != fingerprint.source_keys:
            raise RuntimeError(
                "preprocessing_fn calls its analyzers in a different order each time it is traced "
                f"(at {name!r}). Iterate over sorted names rather than over a set, or give each "
                "analyzer its own name (name=...)."
            )
