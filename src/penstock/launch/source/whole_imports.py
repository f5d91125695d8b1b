"""What a module imports as a whole, wherever in it: for modules whose names are not followed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from penstock.launch.source.references import module_of
from penstock.launch.source.statements import for_type_checkers


def imports_of_all(
    name: str, tree: ast.Module, package: str, init: str | None
) -> tuple[list[str], list[str], dict[str, str]]:
    """Return (imports, lazy, exports) as in `Module`."""
    imports: set[str] = set()
    exports: dict[str, str] = {}
    lazy: list[str] = []
    for node, for_types in _walk(tree):
        if isinstance(node, ast.Import) and not for_types:
            for alias in node.names:
                imports.update(_prefixes(alias.name))
                imports.add(f"{alias.name}:*")
        elif isinstance(node, ast.ImportFrom):
            base = module_of(node, package)
            if for_types:
                exports.update({alias.asname or alias.name: base for alias in node.names})
                continue
            imports.update(_prefixes(base))
            imports.update(f"{base}:{alias.name}" for alias in node.names)
        elif init is not None and _defines_getattr(node):
            folder = Path(init).parent
            lazy = sorted(
                ".".join((name, *entry.relative_to(folder).with_suffix("").parts))
                for entry in folder.rglob("*.py")
                if entry.name != "__init__.py"
            )
    imports.discard(name)
    return sorted(imports), lazy, exports if lazy else {}


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
        if isinstance(node, ast.If) and for_type_checkers(node):
            pending.extend((child, True) for child in node.body)
            pending.extend((child, for_types) for child in node.orelse)
        else:
            pending.extend((child, for_types) for child in ast.iter_child_nodes(node))


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])
