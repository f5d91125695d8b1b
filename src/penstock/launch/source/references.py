"""What a piece of source refers to: names of its own module, of others, and names made at run time."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import importlib.util
from collections.abc import Iterable, Iterator, Mapping

from penstock.launch.source.known_names import ANYWHERE, IN_MODULE


@dataclasses.dataclass(slots=True)
class References:
    """What a piece of source refers to.

    Attributes:
        names: References in the form of `read_module`.
        reach: 1 if it may reach any name of its module, 2 if any name of any module, else 0.
        imports: Modules that it imports itself.
    """

    names: set[str] = dataclasses.field(default_factory=set)
    reach: int = 0
    imports: set[str] = dataclasses.field(default_factory=set)


class Imports:
    """What the imports of a module, or of a function in it, bind.

    Args:
        package: The package that relative imports start from.

    Attributes:
        bound: Name to what it is bound to, as `module:attribute` (`module:` for the module itself).
        modules: The modules that are imported, in order.
        star: Whether one takes all names of a module.
    """

    def __init__(self, package: str) -> None:
        self._package = package
        self.bound: dict[str, set[str]] = {}
        self.modules: list[str] = []
        self.star = False

    def add(self, statement: ast.Import | ast.ImportFrom) -> None:
        """Take an import's names in."""
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                self.modules.append(alias.name)
                target = alias.name if alias.asname else alias.name.partition(".")[0]
                self.bound.setdefault(alias.asname or target, set()).add(f"{target}:")
            return
        base = module_of(statement, self._package)
        self.modules.append(base)
        for alias in statement.names:
            if alias.name == "*":
                self.star = True
                continue
            # It may be a module, which is run then.
            self.modules.append(f"{base}.{alias.name}")
            self.bound.setdefault(alias.asname or alias.name, set()).add(f"{base}:{alias.name}")


def module_of(statement: ast.ImportFrom, package: str) -> str:
    """Return the full name of the module that `from ... import` takes from."""
    base = statement.module or ""
    if statement.level:
        return importlib.util.resolve_name("." * statement.level + base, package)
    return base


def references_of(
    pieces: Iterable[ast.AST],
    package: str,
    imported: Mapping[str, Iterable[str]],
    bound: Iterable[str],
) -> References:
    """Return what pieces of a module's source refer to.

    Every name that occurs counts, also where a local variable hides it: too much is harmless.

    Args:
        pieces: Syntax trees.
        package: The package of the module.
        imported: Name to what the module's imports bind it to (`Imports.bound`).
        bound: The names that its other statements bind.
    """
    pieces = list(pieces)
    found = References()
    local = Imports(package)
    for each in _imports(pieces):
        local.add(each)
    # What is imported in a class, or as a global, is reached in ways that are not followed.
    hidden = _hidden_imports(pieces, package)
    found.imports.update(local.modules)
    found.names.update(local.modules)
    if local.star:
        found.reach = 2
    own = frozenset(bound)
    for chain in _chains(pieces):
        root, _, rest = chain.partition(".")
        found.reach = max(found.reach, _reach(chain))
        if root in own:
            found.names.add(f":{root}")
        for target in {*imported.get(root, ()), *local.bound.get(root, ())}:
            module, _, attribute = target.partition(":")
            path = ".".join(each for each in (attribute, rest) if each)
            found.names.add(f"{module}:{path}")
            found.reach = max(found.reach, _reach(f"{module}.{path}"))
    for target in hidden:
        module, _, attribute = target.partition(":")
        found.names.add(f"{module}:{attribute}")
    return found


def _reach(chain: str) -> int:
    parts = chain.split(".")
    if parts[:2] == ["sys", "modules"] or not ANYWHERE.isdisjoint(parts):
        return 2
    return 1 if parts[0] in IN_MODULE else 0


def _imports(pieces: Iterable[ast.AST]) -> Iterator[ast.Import | ast.ImportFrom]:
    for piece in pieces:
        for node in ast.walk(piece):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                yield node


def _hidden_imports(pieces: Iterable[ast.AST], package: str) -> set[str]:
    hidden: set[str] = set()
    for piece in pieces:
        for node in ast.walk(piece):
            if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            found = Imports(package)
            for statement in _imports(node.body if isinstance(node, ast.ClassDef) else [node]):
                found.add(statement)
            names: set[str] = set(found.bound)
            if not isinstance(node, ast.ClassDef):
                declared = [each for each in ast.walk(node) if isinstance(each, ast.Global)]
                names &= {name for each in declared for name in each.names}
            elif not any(isinstance(each, (ast.Import, ast.ImportFrom)) for each in node.body):
                continue
            hidden.update(target for name in names for target in found.bound[name])
    return hidden


def _chains(pieces: Iterable[ast.AST]) -> Iterator[str]:
    """Yield the names that occur, each with the attributes taken of it: `tf.data.Dataset`."""
    pending: list[ast.AST] = list(pieces)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name):
            yield node.id
            continue
        if isinstance(node, ast.Attribute):
            attributes: list[str] = []
            inner: ast.expr = node
            while isinstance(inner, ast.Attribute):
                attributes.append(inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name):
                yield ".".join([inner.id, *reversed(attributes)])
            else:
                # The names of attributes may still be ones that reach everywhere.
                yield from (f"?.{each}" for each in attributes)
                pending.append(inner)
            continue
        if isinstance(node, ast.Global):
            yield from node.names
        for annotation in _annotations(node):
            for part in ast.walk(annotation):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    with contextlib.suppress(SyntaxError):
                        pending.append(ast.parse(part.value, mode="eval"))
        pending.extend(ast.iter_child_nodes(node))


def _annotations(node: ast.AST) -> list[ast.expr]:
    """Return the annotations that stand directly in a node; they may be strings that are read later."""
    found: list[ast.expr | None] = []
    if isinstance(node, (ast.arg, ast.AnnAssign)):
        found = [node.annotation]
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        found = [node.returns]
    return [each for each in found if each is not None]
