"""Making the bytes of a SavedModel a function of what it computes.

TensorFlow numbers functions by a counter of the process, names tables by the path of the file they were
built from, and puts a random uuid into `fingerprint.pb`. So the same model written twice differs, and
everything downstream of it would run again. Here functions are renumbered in the order of their
creation, the temporary folder's name gives way to a digest of the assets, and the uuid is derived from
the content.
"""

from __future__ import annotations

import copy
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

_NUMBER = re.compile(r"\d+$")
_DIGITS = re.compile(r"\d+")
_GRADIENT = "_gradient_op_type"


def stabilize(saved_model_dir: str, temp_dir: str) -> None:
    """Rewrites `saved_model.pb` and `fingerprint.pb` of a SavedModel in place.

    Args:
        saved_model_dir: a local folder that `tf.saved_model.save` has written.
        temp_dir: folder that the assets came from.
    """
    path = os.path.join(saved_model_dir, "saved_model.pb")
    with open(path, "rb") as file:
        model = saved_model_pb2.SavedModel.FromString(file.read())
    assets = _digest_of_assets(saved_model_dir).encode()
    for meta_graph in model.meta_graphs:
        _name_by_position(meta_graph)
        _renumber_functions(meta_graph)
        for node in _nodes(meta_graph):
            if "shared_name" in node.attr:
                name = node.attr["shared_name"].s
                node.attr["shared_name"].s = name.replace(os.fsencode(temp_dir), assets)
    with open(path, "wb") as file:
        file.write(model.SerializeToString(deterministic=True))
    _rewrite_fingerprint(saved_model_dir)


def _digest_of_assets(saved_model_dir: str) -> str:
    digest = hashlib.sha256()
    assets = os.path.join(saved_model_dir, "assets")
    for name in sorted(os.listdir(assets)) if os.path.isdir(assets) else ():
        digest.update(name.encode() + b"\0")
        with open(os.path.join(assets, name), "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _nodes(meta_graph: Any) -> Iterator[Any]:
    yield from meta_graph.graph_def.node
    for function in meta_graph.graph_def.library.function:
        yield from function.node_def


def _name_by_position(meta_graph: Any) -> None:
    """Names by position what is passed by position, and sorts the nodes of functions by name.

    The names of captured tensors, and of the arguments and results of nested functions, hold the
    counter; the order of the nodes is that of a set. All of it is free: edges alone order the
    execution.
    """
    concrete = meta_graph.object_graph_def.concrete_functions
    called_by_name = {node.op for node in _nodes(meta_graph)}
    for function in meta_graph.graph_def.library.function:
        name = function.signature.name
        arguments = function.signature.input_arg
        nested = name not in concrete
        free = len(arguments) if nested else len(concrete[name].bound_inputs)
        renamed = {}
        for position in range(len(arguments) - free, len(arguments)):
            argument = arguments[position]
            renamed[argument.name] = _positional(argument.name, "argument", position)
            argument.name = renamed[argument.name]
            if position in function.arg_attr:
                function.arg_attr[position].attr.pop("_user_specified_name", None)
        for node in function.node_def:
            node.input[:] = [renamed.get(source, source) for source in node.input]
        results = {key: renamed.get(source, source) for key, source in function.ret.items()}
        if nested and name not in called_by_name:
            for position, result in enumerate(function.signature.output_arg):
                source = results.pop(result.name)
                result.name = _positional(result.name, "result", position)
                results[result.name] = source
        function.ret.clear()
        function.ret.update(results)
        nodes = sorted(function.node_def, key=lambda node: node.name)
        del function.node_def[:]
        function.node_def.extend(nodes)


def _positional(name: str, kind: str, position: int) -> str:
    return f"{_DIGITS.sub('', name)}_{kind}_{position}"


def _renumber_functions(meta_graph: Any) -> None:
    library = meta_graph.graph_def.library
    names = _renumbered(function.signature.name for function in library.function)
    gradients = _renumbered(
        node.attr[_GRADIENT].s.decode() for node in _nodes(meta_graph) if _GRADIENT in node.attr
    )
    for node in _nodes(meta_graph):
        node.op = names.get(node.op, node.op)
        for attr in node.attr.values():
            _rename_attr(attr, names)
        if _GRADIENT in node.attr:
            gradient = node.attr[_GRADIENT]
            gradient.s = gradients[gradient.s.decode()].encode()
    for function in library.function:
        function.signature.name = names[function.signature.name]
        for attr in function.attr.values():
            _rename_attr(attr, names)
    functions = sorted(library.function, key=lambda function: _order(function.signature.name))
    del library.function[:]
    library.function.extend(functions)
    for gradient in library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)
    _rename_keys(meta_graph.meta_info_def.function_aliases, names)
    _rename_in_objects(meta_graph.object_graph_def, names)


def _order(name: str) -> tuple[int, str]:
    number = _NUMBER.search(name)
    return (int(number[0]) if number else -1, name)


def _renumbered(names: Iterable[str]) -> dict[str, str]:
    """Return new names by old ones: the number at the end becomes the rank in the order of creation."""
    return {
        name: _NUMBER.sub(str(rank), name)
        for rank, name in enumerate(sorted(set(names), key=_order))
    }


def _rename_attr(attr: Any, names: Mapping[str, str]) -> None:
    kind = attr.WhichOneof("value")
    if kind == "func":
        attr.func.name = names.get(attr.func.name, attr.func.name)
    elif kind == "list":
        for function in attr.list.func:
            function.name = names.get(function.name, function.name)


def _rename_keys(mapping: Any, names: Mapping[str, str]) -> None:
    renamed = {names.get(key, key): copy.deepcopy(value) for key, value in mapping.items()}
    mapping.clear()
    for key, value in renamed.items():
        if isinstance(value, str):
            mapping[key] = value
        else:
            mapping[key].CopyFrom(value)


def _rename_in_objects(objects: Any, names: Mapping[str, str]) -> None:
    _rename_keys(objects.concrete_functions, names)
    for node in objects.nodes:
        kind = node.WhichOneof("kind")
        if kind == "function":
            listed = [names.get(name, name) for name in node.function.concrete_functions]
            node.function.concrete_functions[:] = listed
        elif kind == "bare_concrete_function":
            bare = node.bare_concrete_function
            bare.concrete_function_name = names.get(
                bare.concrete_function_name, bare.concrete_function_name
            )
        elif kind == "captured_tensor":
            captured = node.captured_tensor
            captured.concrete_function = names.get(
                captured.concrete_function, captured.concrete_function
            )


def _rewrite_fingerprint(saved_model_dir: str) -> None:
    path = os.path.join(saved_model_dir, "fingerprint.pb")
    if not os.path.exists(path):
        return
    fingerprint = fingerprint_pb2.FingerprintDef.FromString(
        fingerprinting.CreateFingerprintDef(saved_model_dir)
    )
    fingerprint.ClearField("uuid")
    content = fingerprint.SerializeToString(deterministic=True)
    fingerprint.uuid = str(int.from_bytes(hashlib.sha256(content).digest()[:16]))
    with open(path, "wb") as file:
        file.write(fingerprint.SerializeToString(deterministic=True))
