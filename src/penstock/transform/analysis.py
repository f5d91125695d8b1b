"""Running the analyzers of a `preprocessing_fn` over data, one pass a phase."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import tensorflow as tf
from tensorflow_transform import graph_tools, nodes

from penstock.transform.accumulators import make_accumulator
from penstock.transform.features import RawFeatures
from penstock.transform.phases import Phase, operations, plan_phases
from penstock.transform.results import ResultVisitor, require_supported
from penstock.transform.tracing import Trace, TracedFn, take_asset_names, trace

Batches = Callable[[], Iterable[pa.RecordBatch]]
"""Opens a data set anew, so that each phase can read it."""


@dataclasses.dataclass(frozen=True)
class Analysis:
    """A `preprocessing_fn` with all its analyzers settled.

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
    data_sets: Mapping[str, Batches],
    temp_dir: str,
) -> Analysis:
    """Settles the analyzers of a function.

    Args:
        preprocessing_fn: from raw to transformed features.
        features: how batches become tensors.
        data_sets: what to analyze, by name; several count as one.
        temp_dir: where vocabularies are written; must outlive the result.

    Raises:
        UnsupportedAnalyzerError: if an analyzer needs Beam.
        RuntimeError: if two traces of the function meet its analyzers in different order.
    """
    first = trace(preprocessing_fn, features.type_specs, temp_dir)
    for operation in operations(first.sinks):
        require_supported(operation.operation_def)
    asset_names = take_asset_names(first)
    phases = plan_phases(first)
    if not phases:
        return Analysis(first, {}, asset_names, 0)

    states: dict[str, Sequence[Any]] = {}
    results: dict[str, Any] = {}
    traverser = nodes.Traverser(ResultVisitor(states, first.graph, temp_dir))
    current = first
    for phase in phases:
        states.update(_accumulate(phase, current, features, data_sets))
        for sink in phase.sinks:
            value = traverser.visit_value_node(sink.future)
            results[str(sink.tensor.name)] = tf.constant(value, sink.tensor.dtype)
        current = trace(preprocessing_fn, features.type_specs, temp_dir, results)
    _check_same_analyzers(first, current)
    take_asset_names(current)
    return Analysis(current, results, asset_names, len(phases))


def _accumulate(
    phase: Phase, current: Trace, features: RawFeatures, data_sets: Mapping[str, Batches]
) -> dict[str, list[Any]]:
    """Makes one pass and returns, by label, the state for each data set."""
    names = sorted({name for source in phase.sources for name in source.tensor_names})
    extract = current.extract(names)
    states: dict[str, list[Any]] = {source.operation.label: [] for source in phase.sources}
    for batches in data_sets.values():
        folds = [(source, make_accumulator(source.operation)) for source in phase.sources]
        for batch in batches():
            if batch.num_rows == 0:
                continue
            tensors = extract(features.tensors(batch))
            values = {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}
            for source, accumulator in folds:
                accumulator.add([values[name] for name in source.tensor_names])
        for source, accumulator in folds:
            states[source.operation.label].append(accumulator.state)
    return states


def _check_same_analyzers(first: Trace, final: Trace) -> None:
    """Analyzers are told apart by name, so every trace must meet them in the same order."""
    before = graph_tools.get_analyzers_fingerprint(first.graph, first.inputs)
    after = graph_tools.get_analyzers_fingerprint(final.graph, final.inputs)
    for name, fingerprint in after.items():
        if name not in before or before[name].source_keys != fingerprint.source_keys:
            raise RuntimeError(
                "preprocessing_fn calls its analyzers in another order each time it is traced "
                f"(at {name!r}). Iterate over sorted names rather than over a set, or give each "
                "analyzer a name of its own (name=...)."
            )
