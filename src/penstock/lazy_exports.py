"""Names of a package whose modules are imported when the names are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_exports(
    package: str, module_of: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package (PEP 562).

    A name is looked up once; after that it is an attribute of the package like any other.

    Args:
        package: The package's `__name__`.
        module_of: Name to the module that defines it: `csv.reader` is one within the package,
            `penstock.dsl` is that one.

    Example:
        __getattr__, __dir__ = lazy_exports(__name__, {"read_csv": "csv.reader"})
    """

    def get(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = module_of[name]
        module = home if home.startswith("penstock.") else f"{package}.{home}"
        value = getattr(import_module(module), name)
        setattr(import_module(package), name, value)
        return value

    def names() -> list[str]:
        return sorted({*module_of, *getattr(import_module(package), "__all__", ())})

    return get, names
