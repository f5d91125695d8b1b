"""Ordering analyzers into phases: each phase is one pass over the data.

An analyzer is ready when the tensors it reads depend only on raw features and on analyzers of earlier
phases. This is TensorFlow Transform's own rule (`tft.beam.analysis_graph_builder.build`), asked of its
`graph_tools`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tensorflow_transform import analyzer_nodes, graph_tools, nodes, tf_utils

from penstock.transform.tracing import Trace


@dataclasses.dataclass(frozen=True)
class Source:
    """An operation that folds batches of tensors into an accumulator.

    Attributes:
        operation: the operation, e.g. `analyzer_nodes.CacheableCombineAccumulate`.
        tensor_names: names of the tensors whose values it folds.
    """

    operation: Any
    tensor_names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Phase:
    """One pass over the data.

    Attributes:
        sinks: the analyzers whose results this pass settles.
        sources: what accumulates over the batches for them.
    """

    sinks: tuple[Any, ...]
    sources: tuple[Source, ...]


class _Readiness(nodes.Visitor):  # type: ignore[misc]
    def __init__(self, analyzer: Any) -> None:
        self._analyzer = analyzer

    def visit(self, operation_def: Any, input_values: Sequence[bool]) -> tuple[bool, ...]:
        if isinstance(operation_def, analyzer_nodes.TensorSource):
            ready = all(self._analyzer.ready_to_run(tensor) for tensor in operation_def.tensors)
        else:
            ready = all(input_values)
        return (ready,) * int(operation_def.num_outputs)

    def validate_value(self, value: bool) -> None:
        assert isinstance(value, bool)


def operations(sinks: Iterable[Any]) -> Iterator[Any]:
    """Every `OperationNode` behind the given sinks, once, parents first."""
    seen: set[int] = set()

    def walk(operation: Any) -> Iterator[Any]:
        if id(operation) in seen:
            return
        seen.add(id(operation))
        for value in operation.inputs:
            yield from walk(value.parent_operation)
        yield operation

    for sink in sinks:
        yield from walk(sink.future.parent_operation)


def plan_phases(trace: Trace) -> list[Phase]:
    """Orders the analyzers of a traced function into the fewest passes over the data.

    Args:
        trace: the function, traced before any analyzer has run.

    Returns:
        The phases, first to last; empty when the function has no analyzers.

    Raises:
        ValueError: if an analyzer can never run, for instance when it depends on a placeholder.
    """
    sinks = list(trace.sinks)
    ready = {tf_utils.hashable_tensor_or_op(sink.tensor): False for sink in sinks}
    accumulated: set[str] = set()
    phases: list[Phase] = []
    while not all(ready.values()):
        analyzer = graph_tools.InitializableGraphAnalyzer(
            trace.graph, trace.inputs, list(ready.items())
        )
        traverser = nodes.Traverser(_Readiness(analyzer))
        settled = tuple(
            sink
            for sink in sinks
            if not ready[tf_utils.hashable_tensor_or_op(sink.tensor)]
            and traverser.visit_value_node(sink.future)
        )
        if not settled:
            waiting = [sink.tensor.name for sink in sinks if sink not in settled]
            raise ValueError(
                "The analyzers of preprocessing_fn depend on each other in a cycle, or on a tensor "
                f"that is never computed: {waiting}"
            )
        sources = []
        for operation in operations(settled):
            label = operation.operation_def.label
            parents = [value.parent_operation.operation_def for value in operation.inputs]
            if label in accumulated or not any(
                isinstance(parent, analyzer_nodes.TensorSource) for parent in parents
            ):
                continue
            accumulated.add(label)
            (source,) = parents
            sources.append(
                Source(
                    operation.operation_def, tuple(str(tensor.name) for tensor in source.tensors)
                )
            )
        for sink in settled:
            ready[tf_utils.hashable_tensor_or_op(sink.tensor)] = True
        phases.append(Phase(settled, tuple(sources)))
    return phases
