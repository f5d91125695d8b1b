"""ONNX models, converted by tf2onnx from what the model itself computes."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from penstock.installation import install_command
from penstock.io.processes.quiet import quiet_stderr
from penstock.training.export.forms import ExportError, Onnx
from penstock.training.export.signatures import ModelFunctions

# The converter numbers what it adds by a counter of the process.
_COUNTED = re.compile(r"__\d+$")

_XLA = "XlaCallModule"


def write_onnx(functions: ModelFunctions, form: Onnx, path: str) -> None:
    """Write an ONNX model whose inputs and outputs have the model's names.

    Args:
        functions: What the model computes.
        form: The version of the operations.
        path: The file to write.

    Raises:
        ExportError: If ONNX has no operation for something that the model computes.
        ImportError: If the extra `onnx` is not installed.
    """
    try:
        import onnx
        import tf2onnx
    except ImportError as error:
        raise ImportError(
            f"ONNX needs packages that are not installed: {install_command('onnx')}"
        ) from error
    name = os.path.basename(path)
    try:
        function = functions.own_function()
    except ValueError as error:
        raise ExportError(f"The model cannot become {name}: {error}") from error
    if _has_operation(function.get_concrete_function().graph.as_graph_def(), _XLA):
        raise ExportError(
            f"The model cannot become {name}: ONNX has no operation {_XLA}, which holds code of JAX."
        )
    converter_log = logging.getLogger("tf2onnx")
    level = converter_log.level
    converter_log.setLevel(logging.CRITICAL)
    try:
        with quiet_stderr():
            model, _ = tf2onnx.convert.from_function(
                function, function.input_signature, opset=form.opset
            )
    except Exception as error:
        raise ExportError(f"The model cannot become {name}: {_first_line(error)}") from error
    finally:
        converter_log.setLevel(level)
    for node in _nodes(model.graph):
        if not onnx.defs.has(node.op_type, form.opset, node.domain):
            raise ExportError(
                f"The model cannot become {name}: ONNX has no operation {node.op_type}, in {node.name}."
            )
    _renumber(model.graph)
    model.graph.doc_string = ""
    onnx.checker.check_model(model)
    with open(path, "wb") as file:
        file.write(model.SerializeToString(deterministic=True))


def _has_operation(graph: Any, name: str) -> bool:
    scopes = [graph.node, *(function.node_def for function in graph.library.function)]
    return any(node.op == name for nodes in scopes for node in nodes)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _renumber(graph: Any) -> None:
    """Make the counters in what the converter named start from 0, in a graph and those within."""
    numbers: dict[str, str] = {}

    def renamed(name: str) -> str:
        base, colon, output = name.partition(":")
        if not _COUNTED.search(base):
            return name
        if base not in numbers:
            numbers[base] = _COUNTED.sub(f"__{len(numbers)}", base)
        return f"{numbers[base]}{colon}{output}"

    _rename(graph, renamed)


def _rename(graph: Any, renamed: Callable[[str], str]) -> None:
    for node in graph.node:
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
        node.name = renamed(node.name)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, renamed)
    for value in graph.initializer:
        value.name = renamed(value.name)
    for value in (*graph.input, *graph.output, *graph.value_info):
        value.name = renamed(value.name)
        for place, size in enumerate(value.type.tensor_type.shape.dim):
            if size.dim_param:
                size.dim_param = "rows" if place == 0 else renamed(size.dim_param)
