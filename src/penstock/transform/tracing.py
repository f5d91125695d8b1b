"""Tracing a `preprocessing_fn` into a graph, before and after its analyzers are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.eager import wrap_function
from tensorflow_transform import (
    analyzer_nodes,
    annotators,
    graph_context,
    impl_helper,
    tf2_utils,
)
from tensorflow_transform.saved import saved_transform_io_v2

TracedFn = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Trace:
    """A traced `preprocessing_fn`.

    Attributes:
        module: what is exported; it owns the tables, variables and assets of the graph.
        concrete: the function as traced, from raw to transformed features.
        inputs: the placeholders of the raw features.
    """

    module: tf.Module
    concrete: Any
    inputs: Mapping[str, Any]

    @property
    def graph(self) -> Any:
        """The function's graph."""
        return self.concrete.graph

    @property
    def sinks(self) -> Sequence[Any]:
        """The analyzers whose results are not known yet, as `analyzer_nodes.TensorSink`."""
        sinks: Sequence[Any] = self.graph.get_collection(analyzer_nodes.TENSOR_REPLACEMENTS)
        return sinks

    def transform(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Apply the whole function to a batch of eager tensors."""
        outputs: dict[str, Any] = self.module.transform_fn(dict(features))
        return outputs

    def extract(self, tensor_names: Sequence[str]) -> Callable[[Mapping[str, Any]], list[Any]]:
        """Return a function that computes tensors of the graph from a batch, and nothing else.

        Args:
            tensor_names: names such as `"mean/Sum:0"`, in the order of the results.
        """
        fetches = [self.graph.get_tensor_by_name(name) for name in tensor_names]
        whole = wrap_function.WrappedFunction(
            self.graph, variable_holder=wrap_function.VariableHolder(share_variables=True)
        )
        pruned = whole.prune(
            feeds=self.concrete.inputs,
            fetches=fetches,
            input_signature=self.concrete.structured_input_signature,
        )
        return lambda features: list(pruned(dict(features)))


def trace(
    preprocessing_fn: TracedFn,
    type_specs: Mapping[str, Any],
    temp_dir: str,
    results: Mapping[str, Any] | None = None,
) -> Trace:
    """Traces a function once.

    Args:
        preprocessing_fn: from raw to transformed features.
        type_specs: `tf.TypeSpec` of the raw features, by name.
        temp_dir: where stand-ins for vocabularies that are not known yet are written.
        results: results of analyzers that have run, as eager tensors by the name of the tensor
            that stands for them; such an analyzer becomes a constant of the graph.

    Raises:
        ValueError: if the function creates trainable variables.
    """
    context = graph_context.TFGraphContext(
        module_to_export=tf.Module(), temp_dir=temp_dir, evaluated_replacements=results
    )
    function = impl_helper.get_traced_transform_fn(preprocessing_fn, dict(type_specs), context)
    module = context.module_to_export
    concrete = saved_transform_io_v2.trace_and_update_module(
        module, function, "transform_fn", strip_control_dependencies=False
    )
    trainable = concrete.graph.get_collection(tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES)
    if trainable:
        raise ValueError(
            "preprocessing_fn created trainable variables, which Transform cannot train. "
            f"Received: {[variable.name for variable in trainable]}"
        )
    inputs = tf2_utils.get_structured_inputs_from_func_graph(concrete.graph)
    return Trace(module, concrete, inputs)


def take_asset_names(trace: Trace) -> dict[str, str]:
    """Take the names of the vocabularies and their files out of a graph.

    TF Hub refuses SavedModels with collections it does not know, so they do not stay in the graph.
    """
    names: dict[str, str] = annotators.get_asset_annotations(trace.graph)
    annotators.clear_asset_annotations(trace.graph)
    return names
