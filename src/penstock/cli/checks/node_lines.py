"""In which line of a pipeline file each node is made, read from its syntax tree."""

from __future__ import annotations

import ast
from pathlib import Path

from penstock.graph import Graph


def node_lines(path: str, graph: Graph) -> dict[str, int]:
    """Return node id to line, for those nodes whose line is certain.

    A node is made by a call of its component's name; with `.with_id("...")` after it the id is known,
    else the call must be the only one.
    """
    calls: dict[str, list[int]] = {}
    named: dict[str, int] = {}
    for each in ast.walk(ast.parse(Path(path).read_bytes(), path)):
        if not isinstance(each, ast.Call):
            continue
        if isinstance(each.func, ast.Attribute) and each.func.attr == "with_id":
            (id, *_) = [*each.args, None]
            if isinstance(id, ast.Constant) and isinstance(id.value, str):
                named[id.value] = _first_line(each)
            continue
        name = each.func.attr if isinstance(each.func, ast.Attribute) else ""
        name = each.func.id if isinstance(each.func, ast.Name) else name
        calls.setdefault(name, []).append(each.lineno)
    lines: dict[str, int] = {}
    for node in graph.nodes:
        made = calls.get(node.component.rpartition(":")[2] or node.kind.title(), [])
        if node.id in named:
            lines[node.id] = named[node.id]
        elif len(made) == 1:
            lines[node.id] = made[0]
    return lines


def _first_line(call: ast.Call) -> int:
    """Return the line in which a chain of calls begins."""
    value: ast.expr = call
    while isinstance(value, (ast.Call, ast.Attribute)):
        value = value.func if isinstance(value, ast.Call) else value.value
    return value.lineno
