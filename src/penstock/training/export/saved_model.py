"""Writing a SavedModel whose bytes follow from what it computes."""

from __future__ import annotations

import re
from pathlib import Path

from penstock.training.export.signatures import ModelFunctions
from penstock.transform.stable_saved_model import stabilize

_LOADED_TABLE = re.compile(rb"_load_(\d+)_(\d+)$")


def write_saved_model(functions: ModelFunctions, directory: str) -> None:
    """Write a model with its signatures and the transform graph.

    Args:
        functions: What it computes from raw features.
        directory: The folder to write.
    """
    import tensorflow as tf

    graph = functions.graph
    module = tf.Module()
    module.model_state = functions.state()
    if graph is not None:
        module.transform_graph = graph.state
    tf.saved_model.save(module, directory, functions.signatures())
    _renumber_tables(directory)
    stabilize(directory, graph.path if graph is not None else directory)


def _renumber_tables(directory: str) -> None:
    """Renumbers the tables that were loaded with the transform graph.

    TensorFlow names a loaded table by counters of the process, and the name stays in the export.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    path = Path(directory, "saved_model.pb")
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    names = []
    for graph in model.meta_graphs:
        functions = graph.graph_def.library.function
        for nodes in (graph.graph_def.node, *(function.node_def for function in functions)):
            names += [node.attr["shared_name"] for node in nodes if "shared_name" in node.attr]
    found = {match[0] for name in names if (match := _LOADED_TABLE.search(name.s))}
    by_counters = sorted(found, key=lambda suffix: [int(n) for n in suffix.split(b"_")[2:]])
    for name in names:
        if match := _LOADED_TABLE.search(name.s):
            name.s = name.s[: match.start()] + b"_load_%d" % by_counters.index(match[0])
    path.write_bytes(model.SerializeToString(deterministic=True))
