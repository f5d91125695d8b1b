import importlib
import pkgutil

import pytest

import penstock
from penstock.lazy_exports import lazy_exports

PACKAGES = sorted(
    name
    for _, name, is_package in pkgutil.walk_packages(penstock.__path__, "penstock.")
    if is_package and hasattr(importlib.import_module(name), "__getattr__")
)


@pytest.mark.parametrize("name", PACKAGES)
def test_no_exported_name_is_hidden_by_a_module_of_that_name(name):
    package = importlib.import_module(name)
    modules = {each.name for each in pkgutil.iter_modules(package.__path__)}
    assert modules.isdisjoint(package.__all__)


def test_an_unknown_name_is_an_attribute_error_and_a_known_one_is_kept():
    get, names = lazy_exports("penstock.io", {"join": "files.filesystem"})
    assert get("join").__name__ == "join"
    assert "join" in names()
    with pytest.raises(AttributeError, match="module 'penstock.io' has no attribute 'joined'"):
        get("joined")
