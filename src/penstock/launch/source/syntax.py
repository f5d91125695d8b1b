"""The digest of a piece of source: over its syntax, without comments, docstrings and layout."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any


def digest(parts: Iterable[ast.AST | str]) -> str:
    """Return the digest of syntax trees and strings, in their order, as 16 hex digits.

    Example:
        >>> digest([ast.parse("x  =  1  # one")]) == digest([ast.parse("x = (1)")])
        True
    """
    found = hashlib.sha256()
    for part in parts:
        for piece in [part] if isinstance(part, str) else _canonical(part):
            found.update(piece.encode("utf-8", "surrogatepass"))
            found.update(b"\0")
        found.update(b"\1")
    return found.hexdigest()[:16]


def is_docstring(statement: ast.stmt) -> bool:
    """Return whether a statement is nothing but a string."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _canonical(node: Any) -> Iterator[str]:
    """Yield a syntax tree as strings that are the same on every supported Python."""
    if isinstance(node, ast.AST):
        yield type(node).__name__
        for field, value in ast.iter_fields(node):
            if value is None or value == [] or field in ("ctx", "kind", "type_comment"):
                continue
            if field == "body" and isinstance(
                node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
            ):
                value = value[1:] if value and is_docstring(value[0]) else value
            yield field
            yield from _canonical(value)
    elif isinstance(node, list):
        yield "["
        for each in node:
            yield from _canonical(each)
        yield "]"
    else:
        yield repr(node)
