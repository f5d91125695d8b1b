"""What the statements of a module's top level are, bind and read."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from penstock.launch.source.syntax import is_docstring


def running(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run on import; of a test for type checkers its other branch."""
    for statement in body:
        if isinstance(statement, ast.If) and for_type_checkers(statement):
            yield from running(statement.orelse)
        elif not is_main_guard(statement) and not is_docstring(statement):
            yield statement


def for_type_checkers(statement: ast.If) -> bool:
    """Return whether a statement is `if TYPE_CHECKING:`."""
    test = statement.test
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def is_main_guard(statement: ast.stmt) -> bool:
    """Return whether a statement runs only in a script: `if __name__ == "__main__":`."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    test = statement.test
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.Eq)
        and len(test.ops) == 1
        and {ast.unparse(test.left), ast.unparse(test.comparators[0])} == {"__name__", "'__main__'"}
    )


def at_top(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement that are not in a function or a class of it."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            pending.extend(reversed(list(ast.iter_child_nodes(node))))


def bound_by(statement: ast.stmt) -> list[str]:
    """Return the names that a statement binds in its module, its imports left out."""
    found: dict[str, None] = {}
    for node in at_top(statement):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[node.name] = None
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found[node.id] = None
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            found[node.name] = None
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found[node.rest] = None
    return list(found)


def read_on_import(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement may read while its module is imported."""
    parts: list[ast.AST] = [statement]
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        parts = [*statement.decorator_list, statement.args]
    for part in parts:
        for node in ast.walk(part):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield node.id


def first_name(node: ast.expr) -> Iterator[str]:
    """Yield the name whose object an expression calls a method of."""
    while isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id


def reads_docstrings(tree: ast.Module) -> bool:
    """Return whether code asks for `__doc__`, so that docstrings are more than comments."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "__doc__")
        or (isinstance(node, ast.Name) and node.id == "__doc__")
        for node in ast.walk(tree)
    )
