"""A module's source, taken apart into what runs on import and what each of its names stands for."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from penstock.launch.source.import_effects import ImportEffects
from penstock.launch.source.references import Imports, module_of, references_of
from penstock.launch.source.syntax import digest, is_docstring

FORM = 2
"""Version of what `read_module` returns; raised whenever equal source gives something else."""

_KNOWN_ON_IMPORT = sys.stdlib_module_names | {
    "absl", "apache_beam", "keras", "keras_tuner", "matplotlib", "numpy", "pandas", "penstock",
    "pyarrow", "scipy", "sklearn", "tensorflow", "tensorflow_data_validation",
    "tensorflow_metadata", "tensorflow_model_analysis", "tensorflow_transform", "tfx",
}  # fmt: skip
"""Packages whose import changes nothing for code that does not use them."""


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
    imports, lazy, exports = _imports_of_all(name, tree, package, path if is_package else None)
    if name.startswith("penstock."):
        # Penstock's own modules count as a whole.
        return Module(digest([tree]), imports, lazy, exports, None, [], {}, {}, True)
    parts = _Parts(tree, package, _root_of(name, path))
    reads_docstrings = _reads_docstrings(tree)
    return Module(
        hashlib.sha256(source).hexdigest()[:16] if reads_docstrings else digest([tree]),
        imports,
        lazy,
        exports,
        parts.on_import(),
        parts.imports.modules,
        parts.names(),
        {each: sorted(targets) for each, targets in sorted(parts.imports.bound.items())},
        parts.imports.star or "__getattr__" in parts.bound or reads_docstrings,
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
        self._statements = list(_running(tree.body))
        self._postponed = False
        for statement in self._statements:
            for node in _at_top(statement):
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    self.imports.add(node)
                    self._postponed |= getattr(node, "module", None) == "__future__"
            if not isinstance(statement, (ast.Import, ast.ImportFrom)):
                for name in _binds(statement):
                    self.bound.setdefault(name, []).append(statement)
        self._guards = [each for each in tree.body if _is_main_guard(each)]
        dotted = {
            name: [target.replace(":", ".").rstrip(".") for target in targets]
            for name, targets in self.imports.bound.items()
        }
        effects = ImportEffects(dotted, self.bound, postponed=self._postponed)
        self._loud = {each for each in self._statements if not self._is_quiet(each, effects)}
        self._added: dict[str, list[ast.stmt]] = {}
        for statement in self._statements:
            if statement not in self._loud and isinstance(statement, ast.Expr):
                for name in _first_name(statement.value):
                    self._added.setdefault(name, []).append(statement)
        for statement in self._guards:
            for name in _binds(statement):
                self._added.setdefault(name, []).append(statement)

    def _is_quiet(self, statement: ast.stmt, effects: ImportEffects) -> bool:
        if isinstance(statement, (ast.Import, ast.ImportFrom)) or effects.is_definition(statement):
            return True
        if not effects.binds_only(statement):
            return False
        return not any(
            len(self.bound[name]) > 1 or name in self.imports.bound for name in _binds(statement)
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
        unsettled = reached.union(*(_binds(each) for each in self._loud))
        parts: list[ast.AST | str] = []
        running = False
        for statement in self._statements:
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                parts += self._markers(statement, running)
            elif statement in self._loud:
                running = True
                parts.append(statement)
            elif self._loud:
                reads = not unsettled.isdisjoint(_read_on_import(statement))
                parts += [f"binds {each}" for each in _binds(statement) if reads or each in reached]
        return self._piece(parts) if parts else None

    def _markers(self, statement: ast.Import | ast.ImportFrom, running: bool) -> Iterator[str]:
        """Yield what an import does besides binding names, once code with effects has run or if what
        is imported may have effects of its own."""
        found = Imports(self._package)
        found.add(statement)
        several = any(len(self.imports.bound[name]) > 1 for name in found.bound)
        for module in found.modules:
            if running or several or self._may_have_effects(module.partition(".")[0]):
                yield f"import {module}"
        if several:
            yield from sorted(f"{name} is {sorted(found.bound[name])}" for name in found.bound)

    def _may_have_effects(self, package: str) -> bool:
        """Return whether importing a package may change something; the project's own are looked into."""
        if package in _KNOWN_ON_IMPORT:
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


def _running(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run on import; of a test for type checkers its other branch."""
    for statement in body:
        if isinstance(statement, ast.If) and _for_type_checkers(statement):
            yield from _running(statement.orelse)
        elif not _is_main_guard(statement) and not is_docstring(statement):
            yield statement


def _for_type_checkers(statement: ast.If) -> bool:
    test = statement.test
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _is_main_guard(statement: ast.stmt) -> bool:
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


def _at_top(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the nodes of a statement that are not in a function or a class of it."""
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            pending.extend(reversed(list(ast.iter_child_nodes(node))))


def _binds(statement: ast.stmt) -> list[str]:
    """Return the names that a statement binds in its module, its imports left out."""
    found: dict[str, None] = {}
    for node in _at_top(statement):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found[node.name] = None
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found[node.id] = None
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            found[node.name] = None
        elif isinstance(node, ast.MatchMapping) and node.rest:
            found[node.rest] = None
    return list(found)


def _read_on_import(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement may read while its module is imported."""
    parts: list[ast.AST] = [statement]
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        parts = [*statement.decorator_list, statement.args]
    for part in parts:
        for node in ast.walk(part):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield node.id


def _first_name(node: ast.expr) -> Iterator[str]:
    """Yield the name whose object an expression calls a method of."""
    while isinstance(node, (ast.Attribute, ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name):
        yield node.id


def _reads_docstrings(tree: ast.Module) -> bool:
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "__doc__")
        or (isinstance(node, ast.Name) and node.id == "__doc__")
        for node in ast.walk(tree)
    )


def _imports_of_all(
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
        if isinstance(node, ast.If) and _for_type_checkers(node):
            pending.extend((child, True) for child in node.body)
            pending.extend((child, for_types) for child in node.orelse)
        else:
            pending.extend((child, for_types) for child in ast.iter_child_nodes(node))


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])
