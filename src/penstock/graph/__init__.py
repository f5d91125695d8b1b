"""The graph: the frozen form of a pipeline."""

from penstock.graph.compilation import compile_node, compile_pipeline, runtime_parameters
from penstock.graph.graph import Graph
from penstock.graph.node import Edge, GraphNode, OutputDeclaration

__all__ = [
    "Edge",
    "Graph",
    "GraphNode",
    "OutputDeclaration",
    "compile_node",
    "compile_pipeline",
    "runtime_parameters",
]
