"""Names by which another process finds a class or a function: `package.module:Qualified.name`."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from pathlib import Path
from typing import Any

from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.importing import import_definitions, why_incomplete
from penstock.dsl.main_module import MAIN, code_file, is_main, main_file
from penstock.module_names import as_name, as_parts
from penstock.project_root import MARKER, find_project_root


def import_from(root: str) -> None:
    """Put a project's root first on the import path, so that its modules can be imported by name."""
    if root in sys.path:
        sys.path.remove(root)
    sys.path.insert(0, root)
    importlib.invalidate_caches()


def module_name(path: str | os.PathLike[str], project_root: str | os.PathLike[str]) -> str:
    """Return the dotted name under which a file of the project is imported.

    Names that are not Python identifiers, such as `taxi-utils`, are allowed: see
    `penstock.module_names`.

    Raises:
        DefinitionError: If the file is not below the project's root.

    Example:
        >>> module_name("/p/pipelines/penguin.py", "/p")
        'pipelines.penguin'
    """
    root, file = Path(project_root).absolute(), Path(path).absolute()
    try:
        parts = file.relative_to(root).with_suffix("").parts
    except ValueError:
        raise DefinitionError(
            f"{file} is not below the project's root {root}; move it there, or mark a folder above "
            f"both with a pyproject.toml that has {MARKER}"
        ) from None
    return as_name(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def reference(target: Any) -> str:
    """Return the name of a class or function, by which `resolve` finds it in another process.

    Definitions of a file that was run as a script, or loaded under another name, are named by the
    file. Definitions of a notebook, a prompt or standard input stay in `__main__`: workers are sent
    its source (`MainSource`).

    Raises:
        DefinitionError: If it is a lambda, a method of an object, or defined inside a function, or if its
            module has something else of its name.
    """
    module, name = _module_and_name(target)
    if "<" in name:
        raise DefinitionError(
            f"{name} in {module} is defined inside a function or is a lambda; another process cannot "
            "import it. Define it at the top level of a file."
        )
    name = _name_in_module(target, module, name)
    if module == MAIN:
        file = main_file()
        if file is not None and not (code_file(target) or file).startswith("<"):
            module = module_name(file, find_project_root(file))
    else:
        module = _importable(module)
    return f"{module}:{name}"


def _module_and_name(target: Any) -> tuple[str, str]:
    """Return where a function or class says it is defined; of a method, the class that it is bound to."""
    owner = getattr(target, "__self__", None)
    if isinstance(owner, type):
        return owner.__module__, f"{owner.__qualname__}.{target.__name__}"
    if inspect.ismethod(target):
        raise DefinitionError(
            f"{target.__qualname__} is the method of an object, which another process does not have. Use "
            f"a function at the top level of a file. Received: {target!r}"
        )
    owner = getattr(target, "__objclass__", None)
    if owner is not None:
        return owner.__module__, target.__qualname__
    return target.__module__, target.__qualname__


def _name_in_module(target: Any, module: str, name: str) -> str:
    """Return the name under which a module holds a function or a component made of one.

    `fast = cached(slow)` and `Count = component(count)` have the name of what they were made of, under
    which the module holds something else.
    """
    made = isinstance(target, type) and "FUNCTION" in vars(target)
    holder = sys.modules.get(module)
    if holder is None or not (made or inspect.isfunction(target)):
        return name
    found: Any = holder
    for part in name.split("."):
        found = getattr(found, part, None)
    # A module that was loaded twice has two of each function.
    if found is target or (type(found) is type(target) and _code(found) == _code(target)):
        return name
    for each, value in vars(holder).items():
        if value is target:
            return each
    if module == MAIN and main_file() is None:
        # Of a notebook counts what the last cell that ran defined.
        return name
    raise DefinitionError(
        f"{module} has no name for this {'component' if made else 'function'}: its {name!r} is something "
        f"else. Another process finds it by a name at the top level of its file. Received: {target!r}"
    )


def _code(target: Any) -> Any:
    function = vars(target).get("FUNCTION", target) if isinstance(target, type) else target
    return getattr(getattr(function, "__func__", function), "__code__", None)


def _importable(module: str) -> str:
    """Return the name of a module by its file, where it was loaded under one that nobody can import.

    Airflow loads a DAG's file `taxi.py` as `unusual_prefix_..._taxi`.
    """
    file = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return module
    path = Path(file)
    own = path.parent.name if path.stem == "__init__" else path.stem
    if as_parts(module)[-1] == own or "site-packages" in path.parts or not path.is_file():
        return module
    return module_name(path, find_project_root(path))


def resolve(name: str) -> Any:
    """Return the class or function that `reference` named.

    Raises:
        ImportError: If the module or the name in it does not exist.
    """
    module, _, path = name.partition(":")
    target: Any = sys.modules[MAIN] if is_main(module) else import_definitions(module)
    for part in path.split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            more = why_incomplete(module)
            raise ImportError(f"module {module!r} has no {path!r}{more}", name=module) from None
    return target
