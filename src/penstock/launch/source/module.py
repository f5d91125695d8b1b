"""A module's source, taken apart into what runs on import and what each of its names stands for."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from penstock.launch.source.import_effects import ImportEffects
from penstock.launch.source.known_names import KNOWN_ON_IMPORT
from penstock.launch.source.references import Imports, references_of
from penstock.launch.source.statements import (
    at_top,
    bound_by,
    first_name,
    is_main_guard,
    read_on_import,
    reads_docstrings,
    running,
)
from penstock.launch.source.syntax import digest
from penstock.launch.source.whole_imports import imports_of_all

FORM = 2
"""Version of what `read_module` returns; raised whenever equal source gives something else."""


class Piece(NamedTuple):
    """Source that counts as one: what runs on import, or what binds a name.

    Attributes:
        digest: Over its syntax, and over what its names are imported as.
        references: `:name` of this module; `module:attribute.path` of another one, `module:` for all of
            it; `module` for an import of it.
        reach: 1 if it may reach any name of its module, 2 if any name of any module, else 0.
    """

    digest: str
    references: list[str]
    reach: int


class Module(NamedTuple):
    """What is known of a module.

    Attributes:
        digest: Of all of it.
        imports: The modules that it may import, and `module:name` for a name that it takes from one (`*`
            for any).
        lazy: The modules of a package that exports by `__getattr__`.
        exports: Which of them gives a name, where the package says so to type checkers.
        on_import: What runs on import; None where nothing does.
        imports_in_order: The modules that are imported with it, in their order.
        names: Name to the piece that binds it; None if that runs on import anyway.
        aliases: Name to what an import binds it to, `module:attribute`.
        whole: Whether it can only be taken as a whole.
    """

    digest: str
    imports: list[str]
    lazy: list[str]
    exports: dict[str, str]
    on_import: Piece | None
    imports_in_order: list[str]
    names: dict[str, Piece | None]
    aliases: dict[str, list[str]]
    whole: bool

    def lacks(self, name: str) -> bool:
        """Return whether the module surely binds no such name."""
        return not self.whole and name not in self.names and name not in self.aliases

    @classmethod
    def from_json(cls, value: list[Any]) -> Module:
        """Return the module of which a JSON list was made."""
        module = cls(*value)
        return module._replace(
            on_import=module.on_import and Piece(*module.on_import),
            names={name: piece and Piece(*piece) for name, piece in module.names.items()},
        )


def read_module(name: str, path: str) -> Module:
    """Return what is known of the module in a file."""
    return parse_module(name, Path(path).read_bytes(), path)


def parse_module(name: str, source: bytes, path: str) -> Module:
    """Return what is known of a module.

    Args:
        name: Its dotted name.
        source: What its file holds.
        path: The file; its name says whether it is a package.
    """
    try:
        tree = ast.parse(source, path)
    except SyntaxError:
        whole = hashlib.sha256(source).hexdigest()[:16]
        return Module(whole, [], [], {}, None, [], {}, {}, True)
    is_package = os.path.basename(path) == "__init__.py"
    package = name if is_package else name.rpartition(".")[0]
    imports, lazy, exports = imports_of_all(name, tree, package, path if is_package else None)
    if name.startswith("penstock."):
        # Penstock's own modules count as a whole.
        return Module(digest([tree]), imports, lazy, exports, None, [], {}, {}, True)
    parts = _Parts(tree, package, _root_of(name, path))
    with_docstrings = reads_docstrings(tree)
    return Module(
        hashlib.sha256(source).hexdigest()[:16] if with_docstrings else digest([tree]),
        imports,
        lazy,
        exports,
        parts.on_import(),
        parts.imports.modules,
        parts.names(),
        {each: sorted(targets) for each, targets in sorted(parts.imports.bound.items())},
        parts.imports.star or "__getattr__" in parts.bound or with_docstrings,
    )


def _root_of(name: str, path: str) -> str:
    """Return the folder that a module is imported from."""
    levels = name.count(".") + 1 + (os.path.basename(path) == "__init__.py")
    for _ in range(levels):
        path = os.path.dirname(path)
    return path


class _Parts:
    """The top-level statements of a module, each either with effects on import or of a name."""

    def __init__(self, tree: ast.Module, package: str, root: str) -> None:
        self._package = package
        self._root = root
        self.imports = Imports(package)
        self.bound: dict[str, list[ast.stmt]] = {}
        self._statements = list(running(tree.body))
        self._postponed = False
        for statement in self._statements:
            for node in at_top(statement):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    self.imports.add(node)
                    self._postponed |= getattr(node, "module", None) == "__future__"
            if not isinstance(statement, (ast.Import, ast.ImportFrom)):
                for name in bound_by(statement):
                    self.bound.setdefault(name, []).append(statement)
        self._guards = [each for each in tree.body if is_main_guard(each)]
        dotted = {
            name: [target.replace(":", ".").rstrip(".") for target in targets]
            for name, targets in self.imports.bound.items()
        }
        effects = ImportEffects(dotted, self.bound, postponed=self._postponed)
        self._loud = {each for each in self._statements if not self._is_quiet(each, effects)}
        self._added: dict[str, list[ast.stmt]] = {}
        for statement in self._statements:
            if statement not in self._loud and isinstance(statement, ast.Expr):
                for name in first_name(statement.value):
                    self._added.setdefault(name, []).append(statement)
        for statement in self._guards:
            for name in bound_by(statement):
                self._added.setdefault(name, []).append(statement)

    def _is_quiet(self, statement: ast.stmt, effects: ImportEffects) -> bool:
        if isinstance(statement, (ast.Import, ast.ImportFrom)) or effects.is_definition(statement):
            return True
        if not effects.binds_only(statement):
            return False
        return not any(
            len(self.bound[name]) > 1 or name in self.imports.bound for name in bound_by(statement)
        )

    def _piece(self, parts: Iterable[ast.AST | str]) -> Piece:
        parts = list(parts)
        trees = [each for each in parts if isinstance(each, ast.AST)]
        names = {*self.bound, *self._added}
        found = references_of(trees, self._package, self.imports.bound, names)
        used = {each.id for tree in trees for each in ast.walk(tree) if isinstance(each, ast.Name)}
        meanings = [
            f"{name}={','.join(sorted(self.imports.bound[name]))}"
            for name in sorted(used & set(self.imports.bound))
        ]
        if self._postponed:
            meanings.append("annotations are not evaluated")
        return Piece(digest([*parts, *meanings]), sorted(found.names), found.reach)

    def names(self) -> dict[str, Piece | None]:
        """Return each name that is bound, with what binds it."""
        found: dict[str, Piece | None] = {}
        for name in sorted({*self.bound, *self._added}):
            statements = [each for each in self.bound.get(name, ()) if each not in self._loud]
            statements += self._added.get(name, ())
            found[name] = self._piece(statements) if statements else None
        return found

    def on_import(self) -> Piece | None:
        """Return what runs on import, in its order, with the names that it uses in theirs."""
        reached = self._reached()
        # What reads such a name while the module is imported depends on where it stands.
        unsettled = reached.union(*(bound_by(each) for each in self._loud))
        parts: list[ast.AST | str] = []
        began = False
        for statement in self._statements:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                parts += self._markers(statement, began)
            elif statement in self._loud:
                began = True
                parts.append(statement)
            elif self._loud:
                reads = not unsettled.isdisjoint(read_on_import(statement))
                parts += [
                    f"binds {each}" for each in bound_by(statement) if reads or each in reached
                ]
        return self._piece(parts) if parts else None

    def _markers(self, statement: ast.Import | ast.ImportFrom, began: bool) -> Iterator[str]:
        """Yield what an import does besides binding names, once code with effects has run or if what
        is imported may have effects of its own."""
        found = Imports(self._package)
        found.add(statement)
        several = any(len(self.imports.bound[name]) > 1 for name in found.bound)
        for module in found.modules:
            if began or several or self._may_have_effects(module.partition(".")[0]):
                yield f"import {module}"
        if several:
            yield from sorted(f"{name} is {sorted(found.bound[name])}" for name in found.bound)

    def _may_have_effects(self, package: str) -> bool:
        """Return whether importing a package may change something; the project's own are looked into."""
        if package in KNOWN_ON_IMPORT:
            return False
        place = os.path.join(self._root, package)
        return not (os.path.isdir(place) or os.path.isfile(f"{place}.py"))

    def _reached(self) -> set[str]:
        """Return the names of the module that code with effects uses, directly or not."""
        reached: set[str] = set()
        pending = list(self._loud)
        while pending:
            statement = pending.pop()
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and node.id in self.bound and node.id not in reached:
                    reached.add(node.id)
                    pending += [each for each in self.bound[node.id] if each not in self._loud]
        return reached
