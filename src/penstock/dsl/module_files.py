"""Files of user code: finding the module for a path or a dotted name, and importing it."""

from __future__ import annotations

import dataclasses
import importlib.machinery
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from penstock.artifacts import location
from penstock.dsl.exceptions import DefinitionError
from penstock.dsl.importing import import_definitions
from penstock.dsl.references import module_name
from penstock.module_names import EscapedNameFinder, as_name, as_parts
from penstock.spelling import nearest


@dataclasses.dataclass(frozen=True, slots=True)
class UserModule:
    """A module of user code.

    Attributes:
        name: Dotted name under which it is imported.
        path: Its file, absolute.
    """

    name: str
    path: str


def find_module_file(module_file: str, project_root: str) -> UserModule:
    """Return the module that a user named, without importing it.

    Args:
        module_file: Path of a `.py` file, relative to the project's root or absolute below it; or a
            dotted name, of a module of the project or of an installed package.
        project_root: Folder that user code is imported from.

    Raises:
        FileNotFoundError: If there is no such file or module, with the nearest name.
        DefinitionError: If the file lies outside the project, or cannot be imported under its name.

    Example:
        >>> find_module_file("penstock.dsl.node", ".").name
        'penstock.dsl.node'
    """
    if module_file.endswith(".py"):
        if not location.is_local(module_file):
            raise DefinitionError(
                "a module file must be inside the project, so that its code is in the cache key "
                f"and is shipped to where it runs. Received: {module_file!r}"
            )
        path = location.absolute(module_file, project_root)
        if not os.path.isfile(path):
            near = nearest(module_file, _files_beside(path, project_root))
            raise FileNotFoundError(f"there is no file {path}.{near}")
        name = module_name(path, project_root)
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            raise DefinitionError(
                f"{path} is imported as {name!r}, which is a module of Python's standard library. "
                "Rename it, or move it into a folder."
            )
        return UserModule(name, path)
    if "/" in module_file or os.sep in module_file:
        raise DefinitionError(
            f"a module file is a path that ends in .py, or a dotted name. Received: {module_file!r}"
        )
    found = _find_dotted(module_file, project_root)
    if found is None:
        path = os.path.join(project_root, *as_parts(module_file)) + ".py"
        known = [
            as_name(Path(each).with_suffix("").parts) for each in _files_beside(path, project_root)
        ]
        raise FileNotFoundError(
            f"neither the project {project_root} nor an installed package has the module "
            f"{module_file!r}.{nearest(module_file, known)}"
        )
    return UserModule(module_file, found)


def import_module_file(module_file: str, project_root: str) -> ModuleType:
    """Import the module that a user named; its project's root must be first on the import path.

    Raises:
        FileNotFoundError: As `find_module_file`.
        DefinitionError: As `find_module_file`, or if Python finds another module of that name.
    """
    found = find_module_file(module_file, project_root)
    module = import_definitions(found.name)
    file = getattr(module, "__file__", None)
    if file is None or not os.path.samefile(file, found.path):
        raise DefinitionError(
            f"{found.path} is imported as {found.name!r}, but Python finds {file or 'a package'} under "
            "that name. Rename it or its folder."
        )
    return module


def _find_dotted(name: str, project_root: str) -> str | None:
    """Return the file of a module by its dotted name; the packages above it are not imported."""
    folders: list[str] | None = [project_root, *sys.path]
    parts = name.split(".")
    for place in range(len(parts)):
        dotted = ".".join(parts[: place + 1])
        if not parts[place]:
            return None
        spec = importlib.machinery.PathFinder.find_spec(dotted, folders)
        spec = spec or EscapedNameFinder.find_spec(dotted, folders)
        if spec is None and place == 0 and dotted not in sys.modules:
            # What is installed in editable form has a finder of its own.
            spec = importlib.util.find_spec(dotted)
        if spec is None:
            return None
        folders = list(spec.submodule_search_locations or ())
    return spec.origin if spec is not None and spec.has_location else None


def _files_beside(path: str, project_root: str) -> list[str]:
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        return []
    names = [name for name in os.listdir(folder) if name.endswith(".py")]
    return [os.path.relpath(os.path.join(folder, name), project_root) for name in names]
