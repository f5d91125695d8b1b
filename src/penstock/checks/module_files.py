"""Module files: whether they exist and define the functions that a component calls.

They are parsed, never imported: importing one would import TensorFlow.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Sequence

from penstock.checks.finding import Finding, shown_path
from penstock.checks.user_code import UserCode
from penstock.dsl import DefinitionError
from penstock.dsl.module_files import find_module_file
from penstock.graph import GraphNode
from penstock.spelling import nearest

_FUNCTIONS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "tfx.components.transform.component.Transform": (
        "preprocessing_fn",
        ("inputs",),
        ("custom_config",),
    ),
    "tfx.components.trainer.component.Trainer": ("run_fn", ("fn_args",), ()),
    "tfx.components.tuner.component.Tuner": ("tuner_fn", ("fn_args",), ()),
}
"""Execution type to the function that its module file defines: name, required, optional arguments."""

_FILE_PARAMETER = {
    "preprocessing_fn": "preprocessing_fn",
    "run_fn": "run_fn",
    "tuner_fn": "tuner_fn",
}


def check_module_files(node: GraphNode, code: UserCode, place: str) -> Iterator[Finding]:
    """Yield the problems of a node's module files and of the project's modules that they import.

    Args:
        node: The node, its runtime parameters bound where they have values.
        code: The project's modules.
        place: Where the node is created, for messages.
    """
    for key, kind in node.special.items():
        value = node.parameters.get(key)
        if kind != "module_file" or not isinstance(value, str) or not value:
            continue
        try:
            path = find_module_file(value, code.project_root).path
        except (FileNotFoundError, DefinitionError) as error:
            yield Finding("error", place, f"{node.id}({key}={value!r}): {error}", node.id)
            continue
        yield from _check_code(node, code, path)
        tree = code.tree(path)
        if key == "module_file" and node.type_name in _FUNCTIONS and isinstance(tree, ast.Module):
            yield from _check_functions(node, tree, shown_path(path))
    for key, value in node.parameters.items():
        if isinstance(value, dict) and "$name" in value:
            yield from _check_named_function(node, key, value["$name"], code, place)


def _check_code(node: GraphNode, code: UserCode, path: str) -> Iterator[Finding]:
    if path.startswith(os.path.join(code.project_root, "")) and path.endswith(".py"):
        for level, where, message in code.problems(path):
            yield Finding(level, where, message, node.id)


def _check_named_function(
    node: GraphNode, key: str, reference: str, code: UserCode, place: str
) -> Iterator[Finding]:
    """Yield the problems of a function that a parameter names, if its module is the project's."""
    module, _, name = reference.partition(":")
    if module == "__main__" or module in sys.modules:
        return
    try:
        path = find_module_file(module, code.project_root).path
    except FileNotFoundError as error:
        yield Finding("error", place, f"{node.id}({key}={f'{module}.{name}'!r}): {error}", node.id)
        return
    yield from _check_code(node, code, path)
    tree = code.tree(path) if path.endswith(".py") else None
    if not isinstance(tree, ast.Module) or "." in name:
        return
    functions, others = _top_level(tree.body)
    if name not in functions and name not in others and "*" not in others:
        near = nearest(name, functions)
        message = f"{node.id}({key}=...) needs a function {name} in this file.{near}"
        yield Finding("error", shown_path(path), message, node.id)


def _check_functions(node: GraphNode, tree: ast.Module, shown: str) -> Iterator[Finding]:
    name, required, optional = _FUNCTIONS[node.type_name]
    if isinstance(node.parameters.get(_FILE_PARAMETER[name]), str):
        name = node.parameters[_FILE_PARAMETER[name]].rpartition(".")[2]
    wanted = ", ".join([*required, *(f"{each}=None" for each in optional)])
    functions, others = _top_level(tree.body)
    if name in functions:
        problem = _signature_problem(functions[name], len(required), optional)
        if problem:
            place = f"{shown}:{functions[name].lineno}"
            message = f"{node.id} calls {name}({wanted}); this one {problem}"
            yield Finding("error", place, message, node.id)
    elif name not in others and "*" not in others:
        near = nearest(name, functions)
        message = f"{node.id} needs a function {name}({wanted}) in this file.{near}"
        yield Finding("error", shown, message, node.id)


def _top_level(body: Sequence[ast.stmt]) -> tuple[dict[str, ast.FunctionDef], set[str]]:
    """Return the functions that a module defines, and its other names (`*` for a star import)."""
    functions: dict[str, ast.FunctionDef] = {}
    others: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            functions[statement.name] = statement
        elif isinstance(statement, (ast.ImportFrom, ast.Import)):
            others |= {alias.asname or alias.name for alias in statement.names}
        elif isinstance(statement, ast.Assign):
            others |= {each.id for each in statement.targets if isinstance(each, ast.Name)}
        elif isinstance(statement, (ast.If, ast.Try, ast.With)):
            inner = [each for each in ast.iter_child_nodes(statement) if isinstance(each, ast.stmt)]
            inner += [
                each
                for part in ast.iter_child_nodes(statement)
                if isinstance(part, ast.ExceptHandler)
                for each in part.body
            ]
            found, more = _top_level(inner)
            functions |= found
            others |= more
    return functions, others


def _signature_problem(
    function: ast.FunctionDef, required: int, optional: Sequence[str]
) -> str | None:
    """Return what is wrong with a function that is called with `required` positional arguments."""
    arguments = function.args
    positional = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
    needed = len(positional) - len(arguments.defaults)
    missing = [
        each.arg
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is None and each.arg not in optional
    ]
    extra = [each for each in positional[required:needed] if each not in optional]
    if arguments.vararg is None and len(positional) < required:
        return f"takes {len(positional)} arguments"
    if extra or missing:
        return f"also needs {', '.join([*extra, *missing])}"
    return None
