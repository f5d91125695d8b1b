"""The project's modules as syntax trees: whether they parse, and what they import exists.

They are read, never imported: importing one would import TensorFlow.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from penstock.checks.finding import shown_path
from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.references import module_name
from penstock.module_names import as_name, as_parts
from penstock.spelling import nearest


class Problem(NamedTuple):
    """Something wrong in a file."""

    level: Literal["error", "warning"]
    place: str
    message: str


class _Import(NamedTuple):
    """An import statement: of which module, in which line, and whether its failure ends the import."""

    module: str
    names: tuple[str, ...]
    line: int
    certain: bool


class UserCode:
    """Reads the modules of a project, each once.

    Args:
        project_root: Folder that user code is imported from.
    """

    def __init__(self, project_root: str) -> None:
        self.project_root = project_root
        self._trees: dict[str, ast.Module | SyntaxError] = {}

    def tree(self, path: str) -> ast.Module | SyntaxError:
        """Return a file's syntax tree, or the problem if it cannot be parsed."""
        if path not in self._trees:
            try:
                self._trees[path] = ast.parse(Path(path).read_bytes(), path)
            except SyntaxError as error:
                self._trees[path] = error
            except ValueError as error:
                self._trees[path] = SyntaxError(str(error))
        return self._trees[path]

    def problems(self, path: str) -> Iterator[Problem]:
        """Yield the problems of a file and of the project's modules that it imports, at once or later."""
        seen: set[str] = set()
        pending = [path]
        while pending:
            file = pending.pop()
            if file in seen:
                continue
            seen.add(file)
            tree = self.tree(file)
            if isinstance(tree, SyntaxError):
                yield _syntax_error(file, tree)
                continue
            for each in _imports(tree.body, self._package(file), True):
                found, missing = self._look_up(each)
                pending += found
                if missing and each.certain:
                    level, message = missing
                    yield Problem(level, f"{shown_path(file)}:{each.line}", message)

    def _package(self, file: str) -> str:
        try:
            name = module_name(file, self.project_root)
        except DefinitionError:
            return ""
        return name if file.endswith("__init__.py") else name.rpartition(".")[0]

    def _look_up(
        self, wanted: _Import
    ) -> tuple[list[str], tuple[Literal["error", "warning"], str] | None]:
        """Return the project's files that an import runs, and what is wrong with it."""
        parts = wanted.module.split(".")
        if not self._exists(parts[:1]):
            top = parts[0]
            if top in sys.modules or importlib.util.find_spec(top) is not None:
                return [], None
            return [], ("warning", f"imports {top!r}, which is not installed here")
        files: list[str] = []
        for length in range(1, len(parts) + 1):
            if not self._exists(parts[:length]):
                name = ".".join(parts[:length])
                near = nearest(name, self._beside(parts[:length]))
                return files, ("error", f"imports {name!r}, which the project does not have.{near}")
            files += self._file(parts[:length])
        for name in wanted.names:
            files += self._file([*parts, name])
        return files, None

    def _base(self, parts: Sequence[str]) -> str:
        return os.path.join(self.project_root, *as_parts(".".join(parts)))

    def _file(self, parts: Sequence[str]) -> list[str]:
        base = self._base(parts)
        candidates = (f"{base}.py", os.path.join(base, "__init__.py"))
        return [each for each in candidates if os.path.isfile(each)][:1]

    def _exists(self, parts: Sequence[str]) -> bool:
        return bool(self._file(parts)) or os.path.isdir(self._base(parts))

    def _beside(self, parts: Sequence[str]) -> list[str]:
        folder = os.path.dirname(self._base(parts))
        stems = [os.path.splitext(name)[0] for name in os.listdir(folder) if name.endswith(".py")]
        return [".".join([*parts[:-1], as_name([stem])]) for stem in stems]


def _imports(body: Sequence[ast.stmt], package: str, certain: bool) -> Iterator[_Import]:
    """Yield the imports in statements; those in functions, branches and `try` may not fail or run."""
    for statement in body:
        if isinstance(statement, ast.Import):
            for alias in statement.names:
                yield _Import(alias.name, (), statement.lineno, certain)
        elif isinstance(statement, ast.ImportFrom):
            module = statement.module or ""
            if statement.level:
                relative = "." * statement.level + module
                try:
                    module = importlib.util.resolve_name(relative, package)
                except ImportError:
                    continue
            names = tuple(alias.name for alias in statement.names)
            yield _Import(module, names, statement.lineno, certain)
        elif isinstance(statement, ast.If) and ast.unparse(statement.test).endswith(
            "TYPE_CHECKING"
        ):
            yield from _imports(statement.orelse, package, certain)
        else:
            inside = [each for each in ast.walk(statement) if isinstance(each, ast.stmt)]
            plain = [each for each in inside if isinstance(each, (ast.Import, ast.ImportFrom))]
            yield from _imports(plain, package, certain=False)


def _syntax_error(file: str, error: SyntaxError) -> Problem:
    line = (error.text or "").strip()
    message = str(error.msg) + (f"\n    {line}" if line else "")
    return Problem("error", f"{shown_path(file)}:{error.lineno or 1}", message)
