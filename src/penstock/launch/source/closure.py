"""The source closure of an execution: everything that can decide what it computes.

From the functions that are called (a component's class, a module file's `run_fn`), the names that they
reach are followed through the project's modules, and from there through Penstock's rooms that decide
what is computed. What a module runs on import counts whenever it is imported. Where names are looked up
at run time (`globals()`, `eval`, star imports, a module handed on as an object) the whole module
counts, with all that it imports. Penstock's own code counts by module.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable

import penstock
from penstock.dsl.main_module import MAIN
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.source.module import FORM, Module, Piece, parse_module, read_module
from penstock.module_names import as_parts

_PACKAGE = os.path.dirname(os.path.abspath(penstock.__file__))
_NOT_COUNTED = frozenset(
    {
        "beam", "checks", "cli", "dsl", "graph", "history", "image", "kubeflow", "launch", "notifications",
        "pods", "registry", "runners", "scheduling", "server", "store", "testing", "upkeep", "__pycache__",
    }
)  # fmt: skip
"""Penstock's rooms that decide when and where something runs, or what is said of it; all others decide what
is computed, and count."""

ON_IMPORT = "<module>"
"""Stands in a key for what a module runs on import, as in Python's tracebacks."""
UNKNOWN = "unknown"
"""Begins the digest of a value that no key can hold, such as an object that a notebook made."""
ORDER = "<imports>"
"""Stands in a key for the order in which modules run that do something on import."""


@functools.cache
def _counts(room: str) -> bool:
    return room not in _NOT_COUNTED and os.path.isdir(os.path.join(_PACKAGE, room))


class SourceClosure:
    """Digests of the code that functions can reach.

    Args:
        project_root: Folder that user code is imported from.
        memo: Remembers parsed modules.
        main_source: Source of the module `__main__` where it has no file.
    """

    def __init__(self, project_root: str, memo: DigestMemo, main_source: str | None = None) -> None:
        self._root = os.path.abspath(project_root)
        self._memo = memo
        self._modules: dict[str, Module | None] = {}
        if main_source is not None:
            path = os.path.join(self._root, f"{MAIN}.py")
            self._modules[MAIN] = parse_module(MAIN, main_source.encode(), path)
        self._files: dict[str, str | None] = {}
        self._tops: dict[str, bool] = {}
        self._closures: dict[tuple[str, ...], dict[str, str]] = {}

    def digests(self, entries: Iterable[str]) -> dict[str, str]:
        """Return what can be reached from `entries`, each with its digest of 16 hex digits.

        Keys are `module:name` for a name of a project's module, `module:<module>` for what it runs on
        import, and `module` for one that counts as a whole; a package is `package.__init__`.

        Args:
            entries: `module:name` for a function or class that is called, `module` for all of a module;
                those outside the project and Penstock are left out, since their version stands for them.
        """
        start = tuple(sorted(set(entries)))
        if start not in self._closures:
            self._closures[start] = self._by_name(start)
        return self._closures[start]

    def _by_name(self, start: Iterable[str]) -> dict[str, str]:
        walk = _Walk(self)
        for entry in start:
            module, _, name = entry.partition(":")
            walk.enter(module, name.partition(".")[0])
        return walk.finish()

    def whole(self, modules: Iterable[str]) -> dict[str, str]:
        """Return the digests of whole modules and of all that they import.

        Args:
            modules: Dotted names; `module:name` for a name that is taken from it.
        """
        found: dict[str, str] = {}
        seen: set[str] = set()
        pending = list(modules)
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            name, _, used = name.partition(":")
            module = self.module(name)
            if module is None:
                continue
            if used and self.find(f"{name}.{used}"):
                pending.append(f"{name}.{used}")
            elif used in module.exports:
                pending.append(f"{module.exports[used]}:{used}")
            elif used:
                # A package that exports lazily names its modules in strings only: take all.
                pending.extend(module.lazy)
            found[self.label(name)] = module.digest
            pending.extend(module.imports)
        return found

    def module(self, name: str) -> Module | None:
        """Return what is known of a module; None for one that is neither the project's nor Penstock's."""
        if name not in self._modules:
            path = self.find(name)
            if path is None:
                self._modules[name] = None
            else:
                kind = f"source {FORM} of {name}"
                read = self._memo.value(kind, path, lambda path: read_module(name, path))
                self._modules[name] = Module.from_json(read)
        return self._modules[name]

    def label(self, name: str) -> str:
        """Return how a key names a module: its dotted name, with `.__init__` where it is a package."""
        path = self.find(name)
        return f"{name}.__init__" if path and path.endswith("__init__.py") else name

    def find(self, name: str) -> str | None:
        """Return the file of a module; None for one that is neither the project's nor Penstock's."""
        if name not in self._files:
            self._files[name] = self._look_for(name)
        return self._files[name]

    def _look_for(self, name: str) -> str | None:
        parts = as_parts(name)
        if parts[0] == "penstock":
            if len(parts) < 2 or not _counts(parts[1]):
                return None
            base = os.path.join(_PACKAGE, *parts[1:])
        else:
            base = os.path.join(self._root, *parts)
        for candidate in (base + ".py", os.path.join(base, "__init__.py")):
            if os.path.isfile(candidate):
                return candidate
        return None

    def is_in_project(self, name: str) -> bool:
        """Return whether a module is looked for in the project, where it may still be missing."""
        top = name.partition(".")[0]
        if top not in self._tops:
            self._tops[top] = self.module(top) is not None or self.is_folder(top)
        return self._tops[top]

    def is_folder(self, name: str) -> bool:
        """Return whether a dotted name is that of a folder of the project."""
        return os.path.isdir(os.path.join(self._root, *as_parts(name)))


class _Walk:
    """One way through the names of a project's modules."""

    def __init__(self, closure: SourceClosure) -> None:
        self._closure = closure
        self._pieces: dict[tuple[str, str], str] = {}
        self._run: dict[str, None] = {}
        self._running: set[str] = set()
        self._whole: set[str] = set()
        self._seen: set[tuple[str, str]] = set()
        self._pending: list[tuple[str, str]] = []
        self._anywhere = False

    def enter(self, module: str, name: str) -> None:
        """Start at a name of a module; an empty one stands for the whole of it.

        A function that may be absent, and is, counts as nothing: to add it adds its name to the key.
        """
        known = self._closure.module(module)
        if (
            name
            and known is not None
            and known.lacks(name)
            and not self._closure.find(f"{module}.{name}")
        ):
            self._import(module)
        else:
            self._pending.append((module, name))
        self._follow()

    def finish(self) -> dict[str, str]:
        """Return the digests of what was reached."""
        if self._anywhere:
            self._whole.update(self._run)
        found = self._closure.whole(sorted(self._whole))
        taken = {name.removesuffix(".__init__") for name in found}
        # The order in which modules run is in those that count as a whole.
        doing = [module for module in self._run if module in taken or self._has_effects(module)]
        for (module, name), digest in self._pieces.items():
            if module not in taken:
                found[f"{self._closure.label(module)}:{name}"] = digest
        if len(doing) > 1 and not taken.issuperset(doing):
            found[ORDER] = hashlib.sha256("\n".join(doing).encode()).hexdigest()[:16]
        return dict(sorted(found.items()))

    def _has_effects(self, name: str) -> bool:
        module = self._closure.module(name)
        return module is not None and module.on_import is not None

    def _follow(self) -> None:
        while self._pending:
            step = self._pending.pop()
            if step not in self._seen:
                self._seen.add(step)
                self._reach(*step)

    def _reach(self, module: str, path: str) -> None:
        """Follow a reference: `path` is dotted, and empty where a module is taken as an object."""
        if module.partition(".")[0] == "penstock":
            head = path.partition(".")[0]
            self._whole.add(f"{module}:{head}" if head else module)
            return
        if not self._closure.is_in_project(module):
            return
        self._import(module)
        head, _, rest = path.partition(".")
        known = self._closure.module(module)
        if not head:
            self._take_whole(module)
            return
        inner = f"{module}.{head}"
        if self._closure.find(inner) or (known is None and self._closure.is_folder(inner)):
            self._pending.append((inner, rest))
            if known is None or (head not in known.names and head not in known.aliases):
                return
        if known is None:
            return
        if known.whole or (
            head not in known.names and head not in known.aliases and not _is_about(head)
        ):
            self._take_whole(module)
            return
        piece = known.names.get(head)
        if piece is not None:
            self._take(module, head, piece)
        for target in known.aliases.get(head, ()):
            other, _, attribute = target.partition(":")
            self._pieces[module, head] = digest_of_names(known.aliases[head])
            self._pending.append((other, ".".join(each for each in (attribute, rest) if each)))

    def _take(self, module: str, name: str, piece: Piece) -> None:
        """Count a piece of a module, and follow what it refers to."""
        self._pieces[module, name] = piece.digest
        if piece.reach == 2:
            self._anywhere = True
        if piece.reach:
            self._take_whole(module)
        for reference in piece.references:
            other, colon, path = reference.partition(":")
            if not colon:
                self._import(other)
            else:
                self._pending.append((other or module, path))

    def _take_whole(self, module: str) -> None:
        if self._closure.module(module) is None:
            # A folder without `__init__.py` as an object: what is below it is found at run time.
            self._anywhere = True
            return
        self._whole.add(module)

    def _import(self, name: str) -> None:
        """Run a module on import, after the packages that it is in and before what imports it."""
        parts = name.split(".")
        if parts[0] == "penstock" or not self._closure.is_in_project(name):
            return
        for length in range(1, len(parts) + 1):
            module = ".".join(parts[:length])
            if module in self._running:
                continue
            self._running.add(module)
            known = self._closure.module(module)
            if known is None:
                continue
            for other in known.imports_in_order:
                self._import(other)
            self._run[module] = None
            if known.on_import is not None:
                self._take(module, ON_IMPORT, known.on_import)
                if known.whole:
                    # Code that runs may use names that only the run knows.
                    self._take_whole(module)


def digest_of_names(names: Iterable[str]) -> str:
    """Return the digest of what an import binds a name to."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _is_about(name: str) -> bool:
    """Return whether a name is one that Python gives every module and that code seldom changes."""
    return name in ("__name__", "__file__", "__spec__", "__package__")
