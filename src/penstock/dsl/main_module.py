"""The module `__main__`: a script with a file, or code of a notebook, a prompt or standard input."""

from __future__ import annotations

import hashlib
import inspect
import linecache
import os
import sys
from types import ModuleType
from typing import Any

from penstock.module_names import as_parts

MAIN = "__main__"


def main_file() -> str | None:
    """Return the script that runs, absolute; None in a notebook, at a prompt, for `python -` and `-c`,
    and where a command such as `pytest` runs."""
    file = getattr(sys.modules.get(MAIN), "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py") or not os.path.isfile(file):
        return None
    return os.path.abspath(file)


def is_main(module: str) -> bool:
    """Return whether a module, by its dotted name, is the script that runs."""
    if module == MAIN:
        return True
    main = sys.modules.get(MAIN)
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return bool(spec.name == module)
    parts = as_parts(module)
    if not str(getattr(main, "__file__", "")).endswith(f"{parts[-1]}.py"):
        return False
    file = main_file()
    tail = os.path.join(*parts) + ".py"
    if file is None or not file.endswith(os.sep + tail):
        return False
    known = getattr(sys.modules.get(module), "__file__", None)
    if known is not None:
        return os.path.abspath(str(known)) == file
    # Another file of that name, earlier on the import path, is another module.
    found = (os.path.join(folder, tail) for folder in sys.path)
    return os.path.abspath(next(filter(os.path.isfile, found), file)) == file


def is_defined(name: str) -> bool:
    """Return whether `__main__` of this process has a name."""
    return hasattr(sys.modules.get(MAIN), name)


def code_file(target: Any) -> str | None:
    """Return the name of the file that a function or class was compiled from, as its code gives it."""
    unwrapped = inspect.unwrap(target)
    if hasattr(unwrapped, "__code__"):
        return str(unwrapped.__code__.co_filename)
    for each in vars(target).values() if isinstance(target, type) else ():
        function = getattr(each, "__func__", None) or getattr(each, "fget", None) or each
        code = getattr(function, "__code__", None)
        if code is not None and getattr(function, "__module__", "") == target.__module__:
            name = code.co_filename
            # What `dataclass` and the like generate is compiled from a string.
            if name != "<string>" or _is_method(function, target):
                return str(name)
    return None


def _is_method(function: Any, owner: type) -> bool:
    return str(function.__qualname__).startswith(f"{owner.__qualname__}.")


def installed_source() -> str | None:
    """Return the text that `install_main` was given in this process, or None."""
    name = getattr(sys.modules.get(MAIN), "__penstock_source__", None)
    return "".join(linecache.cache[name][2]) if name in linecache.cache else None  # type: ignore[misc]


def install_main(text: str) -> None:
    """Make what `MainSource.text` defines the module `__main__` of this process.

    Its lines are available to tracebacks and to code that reads a function's source, as TensorFlow
    does.
    """
    name = f"<notebook {hashlib.sha256(text.encode()).hexdigest()[:8]}>"
    if getattr(sys.modules.get(MAIN), "__penstock_source__", None) == name:
        return
    module = ModuleType(MAIN)
    module.__dict__["__penstock_source__"] = name
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    before = sys.modules.get(MAIN)
    sys.modules[MAIN] = module
    try:
        exec(compile(text, name, "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        if before is not None:
            sys.modules[MAIN] = before
        raise
