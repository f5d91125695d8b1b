"""The source closure of a component: every module that can decide what it computes.

From the component's own file and its module files, imports are followed (also those inside
functions) through the project and through Penstock's rooms that touch data. A module's digest is
taken over its syntax tree without comments, docstrings and layout, so that they change nothing.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import penstock
from penstock.launch.digest_memo import DigestMemo

_PACKAGE = os.path.dirname(os.path.abspath(penstock.__file__))
_ROOMS = frozenset(
    {
        "artifacts", "cards", "components", "data_validation", "evaluation", "io", "serving",
        "training", "transform", "tuning",
    }
)  # fmt: skip
"""Penstock's rooms that decide what is computed; the others, Beam's too, decide when and where."""


class SourceClosure:
    """Digests of the modules that a component can reach.

    Args:
        project_root: Folder that user code is imported from.
        memo: Remembers parsed modules.
    """

    def __init__(self, project_root: str, memo: DigestMemo) -> None:
        self._root = os.path.abspath(project_root)
        self._memo = memo
        self._modules: dict[str, _Module | None] = {}
        self._closures: dict[tuple[str, ...], dict[str, str]] = {}

    def digests(self, modules: Iterable[str]) -> dict[str, str]:
        """Return module name to digest (16 hex digits) for `modules` and all they import.

        Args:
            modules: Dotted names; those outside the project and Penstock are left out, since their
                version stands for them.
        """
        start = tuple(sorted(set(modules)))
        if start not in self._closures:
            found: dict[str, str] = {}
            seen: set[str] = set()
            pending = list(start)
            while pending:
                name = pending.pop()
                if name in seen:
                    continue
                seen.add(name)
                name, _, used = name.partition(":")
                module = self._module(name)
                if module is None:
                    continue
                if used and self._find(f"{name}.{used}"):
                    pending.append(f"{name}.{used}")
                elif used in module.exports:
                    pending.append(f"{module.exports[used]}:{used}")
                elif used:
                    # A package that exports lazily names its modules in strings only: take all.
                    pending.extend(module.lazy)
                found[name] = module.digest
                pending.extend(module.imports)
            self._closures[start] = dict(sorted(found.items()))
        return self._closures[start]

    def _module(self, name: str) -> _Module | None:
        if name not in self._modules:
            path = self._find(name)
            if path is None:
                self._modules[name] = None
            else:
                kind = f"imports of {name}"
                read = self._memo.value(kind, path, lambda path: _read_module(name, path))
                self._modules[name] = _Module(*read)
        return self._modules[name]

    def _find(self, name: str) -> str | None:
        parts = name.split(".")
        if parts[0] == "penstock":
            if len(parts) < 2 or parts[1] not in _ROOMS:
                return None
            base = os.path.join(_PACKAGE, *parts[1:])
        else:
            base = os.path.join(self._root, *parts)
        for candidate in (base + ".py", os.path.join(base, "__init__.py")):
            if os.path.isfile(candidate):
                return candidate
        return None


class _Module(NamedTuple):
    """What is known of a module.

    `imports` are the modules that it may import, and `module:name` for a name that it takes from one
    (`*` for any). `lazy` are the modules of a package that exports by `__getattr__`, and `exports` says
    which of them gives a name, where the package says so to type checkers.
    """

    digest: str
    imports: list[str]
    lazy: list[str]
    exports: dict[str, str]


def _read_module(name: str, path: str) -> _Module:
    source = Path(path).read_bytes()
    try:
        tree = ast.parse(source, path)
    except SyntaxError:
        return _Module(hashlib.sha256(source).hexdigest()[:16], [], [], {})
    digest = hashlib.sha256()
    for piece in _canonical(tree):
        digest.update(piece.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    is_package = os.path.basename(path) == "__init__.py"
    package = name if is_package else name.rpartition(".")[0]
    imports: set[str] = set()
    exports: dict[str, str] = {}
    lazy: list[str] = []
    for node, for_types in _walk(tree):
        if isinstance(node, ast.Import) and not for_types:
            for alias in node.names:
                imports.update(_prefixes(alias.name))
                imports.add(f"{alias.name}:*")
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            if for_types:
                exports.update({alias.asname or alias.name: base for alias in node.names})
                continue
            imports.update(_prefixes(base))
            imports.update(f"{base}:{alias.name}" for alias in node.names)
        elif is_package and _defines_getattr(node):
            folder = Path(path).parent
            lazy = sorted(
                ".".join((name, *entry.relative_to(folder).with_suffix("").parts))
                for entry in folder.rglob("*.py")
                if entry.name != "__init__.py"
            )
    imports.discard(name)
    return _Module(digest.hexdigest()[:16], sorted(imports), lazy, exports if lazy else {})


def _defines_getattr(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name == "__getattr__"
    return isinstance(node, ast.Assign) and any(
        isinstance(each, ast.Name) and each.id == "__getattr__"
        for target in node.targets
        for each in ast.walk(target)
    )


def _walk(tree: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Yield every node of a tree, and whether only type checkers see it."""
    pending: list[tuple[ast.AST, bool]] = [(tree, False)]
    while pending:
        node, for_types = pending.pop()
        yield node, for_types
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            pending.extend((child, True) for child in node.body)
            pending.extend((child, for_types) for child in node.orelse)
        else:
            pending.extend((child, for_types) for child in ast.iter_child_nodes(node))


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


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
                value = _without_docstring(value)
            yield field
            yield from _canonical(value)
    elif isinstance(node, list):
        yield "["
        for each in node:
            yield from _canonical(each)
        yield "]"
    else:
        yield repr(node)


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    if (
        body
        and isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    ):
        return body[1:]
    return body
