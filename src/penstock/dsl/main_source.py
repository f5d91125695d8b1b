"""The source of a notebook's or prompt's definitions, as a module that a worker can run.

Code in a notebook has no file that another process could import. So the source of the functions and
classes that a pipeline names is gathered with everything they use: other functions and classes of
the notebook as source, modules and imported names as imports, and plain values as they are now.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import linecache
import math
import os
import pathlib
import stat
import symtable
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from penstock.dsl.main_module import MAIN, code_file

_UNKNOWN = "this cannot be taken to another process"
_LONGEST_VALUE = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class MainSource:
    """The definitions in `__main__` that a pipeline uses.

    Attributes:
        text: Source of a module that defines it.
        names: The names that the pipeline's nodes use themselves.
        refused: Names that cannot be taken to another process, each with the reason; in the text, a
            string stands in for them.
    """

    text: str
    names: Sequence[str]
    refused: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, names: Iterable[str]) -> MainSource:
        """Return the source of names of `__main__` and of everything they use."""
        gathered = _Gathered()
        ordered = sorted(set(names))
        for name in ordered:
            gathered.add(name)
        return cls(gathered.text(), tuple(ordered), gathered.refused)

    def refusal(self) -> str:
        """Return why workers cannot run it, as a sentence; empty if they can."""
        if not self.refused:
            return ""
        reasons = "; ".join(f"{name} {why}" for name, why in self.refused.items())
        return (
            f"Workers cannot run what is defined here, in a notebook or at a prompt: {reasons}. Define it "
            "in a file of the project and import it, or run in this process: "
            "LocalDagRunner(in_process=True)."
        )


class _Refused(Exception):
    """A value that cannot be taken along; says why."""


class _Gathered:
    def __init__(self) -> None:
        self._namespace = vars(sys.modules[MAIN])
        self._imports: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._definitions: list[str] = []
        self._seen: set[str] = set()
        self.refused: dict[str, str] = {}

    def text(self) -> str:
        parts = [self._imports[name] for name in sorted(self._imports)]
        parts += [self._values[name] for name in sorted(self._values)]
        return (
            "\n".join(["from __future__ import annotations"] * self._postponed() + parts)
            + "".join(f"\n\n\n{each}" for each in self._definitions)
            + "\n"
        )

    def _postponed(self) -> bool:
        feature = self._namespace.get("annotations")
        return type(feature).__name__ == "_Feature"

    def add(self, name: str) -> None:
        """Take a name of `__main__` along, unless it has none by that name."""
        if name in self._seen or name not in self._namespace:
            return
        self._seen.add(name)
        try:
            self._add(name, self._namespace[name])
        except _Refused as refused:
            self.refused[name] = str(refused)
            self._values[name] = f"{name} = {_UNKNOWN!r}"

    def _add(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType):
            if value.__name__ == MAIN:
                raise _Refused("is the notebook itself")
            self._imports[name] = f"import {value.__name__} as {name}"
        elif _is_own(value):
            statement = _statement_of(name, value)
            source = _Uses(statement)
            for each in source.when_defined:
                self.add(each)
            self._definitions.append(statement)
            for each in source.when_called:
                self.add(each)
        elif (imported := _import_in_cells(name, value) or _import_of(name, value)) is not None:
            self._imports[name] = imported
        elif isinstance(value, pathlib.Path):
            self._imports["pathlib"] = "import pathlib"
            self._values[name] = f"{name} = pathlib.Path({str(value)!r})"
        elif _is_plain(value):
            shown = _shown(value)
            if len(shown) > _LONGEST_VALUE:
                raise _Refused(f"is a value of {len(shown):,} characters")
            self._values[name] = f"{name} = {shown}"
        else:
            kind = type(value)
            raise _Refused(
                f"is a {kind.__module__}.{kind.__qualname__} that was made here; create it inside "
                "the function that uses it, or pass it on as an artifact"
            )


class _Uses:
    """The global names that a definition uses: when it is defined, and when it is called."""

    def __init__(self, statement: str) -> None:
        table = symtable.symtable(statement, "<cell>", "exec")
        self.when_defined: list[str] = []
        self.when_called: list[str] = []
        self._visit(table, self.when_defined)
        for node in ast.walk(ast.parse(statement)):
            if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
                self.when_defined += _names_in_strings(node.annotation)
            elif (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and node.returns is not None
            ):
                self.when_defined += _names_in_strings(node.returns)

    def _visit(self, table: symtable.SymbolTable, names: list[str]) -> None:
        for symbol in table.get_symbols():
            at_top = table.get_type() == "module" and not symbol.is_assigned()
            if symbol.is_global() or at_top:
                names.append(symbol.get_name())
        for child in table.get_children():
            self._visit(child, names if child.get_type() == "class" else self.when_called)


def _names_in_strings(annotation: ast.expr) -> Iterator[str]:
    for node in ast.walk(annotation):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                inner = ast.parse(node.value, mode="eval")
            except SyntaxError:
                continue
            yield from (each.id for each in ast.walk(inner) if isinstance(each, ast.Name))


def _is_own(value: Any) -> bool:
    """Return whether a value is a function or class that `__main__` defines, perhaps decorated."""
    if not callable(value) or not hasattr(value, "__module__"):
        return False
    if isinstance(value, type):
        return value.__module__ == MAIN
    function = inspect.unwrap(value)
    return hasattr(function, "__code__") and str(getattr(function, "__module__", "")) == MAIN


def _import_in_cells(name: str, value: Any) -> str | None:
    """Return the import by which a cell bound a name to a value."""
    for file in _interactive_files():
        try:
            tree = ast.parse("".join(_lines(file)))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or node.level or node.module is None:
                continue
            for alias in node.names:
                found = getattr(sys.modules.get(node.module), alias.name, None)
                if (alias.asname or alias.name) == name and found is value:
                    return f"from {node.module} import {alias.name} as {name}"
    return None


def _import_of(name: str, value: Any) -> str | None:
    module, qualified = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualified, str) or "." in qualified:
        return None
    if getattr(sys.modules.get(module), qualified, None) is not value:
        return None
    if module == "builtins" and name == qualified:
        return f"from builtins import {name}"
    return f"from {module} import {qualified} as {name}"


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        return all(map(_is_plain, value))
    if kind is dict:
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    if kind is float:
        return math.isfinite(value)
    return value is None or value is Ellipsis or kind in (bool, int, str, bytes, complex)


def _shown(value: Any) -> str:
    """Return a plain value as source, the same for equal values: the order of a set is not its own."""
    kind = type(value)
    if kind in (set, frozenset):
        items = ", ".join(sorted(map(_shown, value)))
        return f"{kind.__name__}([{items}])"
    if kind in (list, tuple):
        items = ", ".join(map(_shown, value))
        return f"[{items}]" if kind is list else f"({items},)" if value else "()"
    if kind is dict:
        pairs = ", ".join(f"{_shown(key)}: {_shown(each)}" for key, each in value.items())
        return f"{{{pairs}}}"
    return repr(value)


def _statement_of(name: str, value: Any) -> str:
    """Return the source of the statement that defined a function or class, its decorators included."""
    function = inspect.unwrap(value)
    if not isinstance(function, type) and "<locals>" in function.__qualname__:
        raise _Refused(
            f"was made by another function ({function.__qualname__}); a decorator must use functools.wraps"
        )
    defined = function.__name__
    line = function.__code__.co_firstlineno if hasattr(function, "__code__") else None
    file = code_file(value)
    files = [file] if file else _interactive_files()
    for each in files:
        lines = _lines(each)
        found = _find(defined, line, lines)
        if found is None:
            continue
        if function is not value and not found.startswith("@"):
            # It was decorated by a call: `fast = cached(slow)`.
            return f"{found}\n\n\n{_assignment_of(name)}"
        if defined != name:
            return f"{found}\n\n\n{name} = {defined}"
        return found
    raise _Refused("has no source that can be read")


def _assignment_of(name: str) -> str:
    """Return the source of the last statement at the top of a cell that assigned to a name."""
    for file in _interactive_files():
        lines = _lines(file)
        try:
            statements = ast.parse("".join(lines)).body
        except SyntaxError:
            continue
        for node in reversed(statements):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(each, ast.Name) and each.id == name for each in targets):
                return "".join(lines[node.lineno - 1 : node.end_lineno]).strip()
    raise _Refused(
        "was decorated by a call that cannot be found; write the decorator above its def"
    )


def _find(name: str, line: int | None, lines: list[str]) -> str | None:
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        return None
    result: str | None = None
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop(0)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(node))
            continue
        start = min([node.lineno, *(each.lineno for each in node.decorator_list)])
        end = node.end_lineno or start
        if node.name == name and (line is None or start <= line <= end):
            result = textwrap.dedent("".join(lines[start - 1 : end])).rstrip()
    return result


def _interactive_files() -> list[str]:
    """Return the names of the cells whose source is known, the latest first."""
    cells = [name for name, entry in linecache.cache.items() if len(entry) > 1 and entry[1] is None]
    return [*reversed(cells), "<string>", "<stdin>"]


def _lines(file: str) -> list[str]:
    lines = linecache.getlines(file)
    if not lines and file == "<string>":
        words = sys.orig_argv
        text = words[words.index("-c") + 1] if "-c" in words[:-1] else ""
        lines = text.splitlines(keepends=True)
    elif not lines and file == "<stdin>":
        lines = _standard_input()
    return lines


def _standard_input() -> list[str]:
    """Return what `python -` reads, where it is a file: it can be read again."""
    try:
        status = os.fstat(0)
        if not stat.S_ISREG(status.st_mode):
            return []
        text = os.pread(0, status.st_size, 0).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return []
    return text.splitlines(keepends=True)
