"""Where a pipeline's user code lies, whichever command runs it."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from types import FrameType

import penstock
from penstock.dsl.main_module import MAIN, is_main, main_file
from penstock.graph import Graph
from penstock.module_names import as_parts
from penstock.project_root import find_project_root, has_marker

_PACKAGE = os.path.dirname(os.path.abspath(penstock.__file__))


def code_folder(graph: Graph | None = None) -> str:
    """Return the folder of the project that a pipeline belongs to.

    It is that of the script that runs, if the pipeline's components are defined there; else that of the
    files that define them; else that of the user's file that this is called from, directly or not. Where
    no folder above such a file is marked as a project's root, it is the script's folder, the folder that
    the components are imported from, or for a caller the current folder, if its file is below that.

    What is installed is no user's code, nor is the command that runs (`pytest`, `uvicorn`, `penstock`).
    Where there is no user's file, as in a notebook, it is the current folder.

    Args:
        graph: The pipeline, if there is one already.
    """
    for module in _modules(graph):
        if is_main(module):
            script = main_file()
            if script is not None:
                return str(find_project_root(script))
        elif (file := _file_of(module)) is not None:
            return _root(file, module, _import_root(file, module))
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = os.path.abspath(frame.f_code.co_filename)
        if is_user_code(file):
            module = frame.f_globals.get("__name__", "")
            below = file.startswith(os.getcwd() + os.sep)
            return _root(file, module, os.getcwd() if below else _import_root(file, module))
        frame = frame.f_back
    return os.getcwd()


def is_user_code(file: str) -> bool:
    """Return whether a file is a Python file that is neither installed nor part of Python or Penstock."""
    if not file.endswith(".py") or not os.path.isfile(file):
        return False
    if not {"site-packages", "dist-packages"}.isdisjoint(file.split(os.sep)):
        return False
    return not any(file.startswith(folder + os.sep) for folder in _installed())


@cache
def _installed() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts")
    folders = [sysconfig.get_path(name) for name in names]
    return (_PACKAGE, *(os.path.abspath(each) for each in folders if each))


def _modules(graph: Graph | None) -> Iterator[str]:
    """Yield the modules that define a pipeline's components, the script that runs first."""
    if graph is None:
        return
    names = [node.component.partition(":")[0] for node in graph.nodes]
    names = [each for each in dict.fromkeys(names) if each and not each.startswith("penstock.")]
    yield from sorted(names, key=lambda name: not is_main(name))


def _file_of(module: str) -> str | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        # It was loaded under another name, as Airflow loads a DAG's file.
        tail = os.path.join(os.sep, *as_parts(module)) + ".py"
        files = [getattr(each, "__file__", None) for each in list(sys.modules.values())]
        file = next((each for each in files if isinstance(each, str) and each.endswith(tail)), None)
    if file is None:
        return None
    file = os.path.abspath(file)
    return file if is_user_code(file) else None


def _root(file: str, module: str, unmarked: str) -> str:
    """Return the project's root of a user's file: the marked one, a script's folder, or `unmarked`."""
    root = find_project_root(file)
    if module == MAIN or has_marker(root):
        return str(root)
    return unmarked


def _import_root(file: str, module: str) -> str:
    """Return the folder from which a file is imported under a dotted name."""
    base = file.removesuffix(".py").removesuffix(f"{os.sep}__init__")
    tail = os.sep + os.path.join(*as_parts(module))
    return base.removesuffix(tail) if base.endswith(tail) else os.path.dirname(file)
