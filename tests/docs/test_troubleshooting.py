"""Every error class of Penstock that a user meets is on the page about them."""

from __future__ import annotations

import ast
import builtins
import functools
import re

import pytest
from pages import ROOT

PAGE = (ROOT / "docs/troubleshooting.md").read_text()
NAMED = set(re.findall(r"^\| `([A-Z]\w+)` \|", PAGE, re.MULTILINE))
INSIDE = {
    "BodyDamagedError": "the server answers 400",
    "BodyTooLargeError": "the server answers 413",
    "BodyTooSlowError": "the server answers 408",
    "CannotPickleError": "the work is done in this process instead",
    "DoubtfulCsvError": "the file is read by the exact parser",
    "EndOfDataError": "the next pass over the data begins",
    "NotJoinable": "each signature parses the examples by itself",
    "OtherFeatures": "the files are written anew, after a look at all rows",
    "NoAnswer": "the InfraValidator does not bless the model, and says why",
    "ServerFailed": "the InfraValidator does not bless the model, and says why",
    "Stopped": "the process ends, and its attempt is CANCELED",
    "TensorError": "the server answers INVALID_ARGUMENT",
    "UnsupportedAnalyzerError": "Transform goes on with Beam",
    "WrongAnswer": "the InfraValidator does not bless the model, and says why",
    "WrongGuessError": "the file is read again with other types",
}
"""Classes that are caught before anybody sees them, and what happens then."""


@functools.cache
def _errors() -> set[str]:
    """Return the names of all public classes that are exceptions, without importing them."""
    bases = {}
    for file in (ROOT / "src/penstock").rglob("*.py"):
        if "template" not in file.parts:
            for node in ast.parse(file.read_text()).body:
                if isinstance(node, ast.ClassDef):
                    bases[node.name] = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
    found = {
        name
        for name, kind in vars(builtins).items()
        if isinstance(kind, type) and issubclass(kind, BaseException)
    }
    built_in, size = set(found), -1
    while size != len(found):
        size = len(found)
        found |= {name for name, of in bases.items() if of & found}
    return {name for name in found - built_in if not name.startswith("_")}


def test_the_classes_are_found():
    assert {"WiringError", "AnomaliesFound", "HeldBack", "MissingDriver", "CsvError"} <= _errors()


@pytest.mark.parametrize("name", sorted(_errors() - set(INSIDE)))
def test_an_error_is_on_the_page(name):
    assert name in NAMED, f"docs/troubleshooting.md does not say what {name} means and what to do"


def test_the_page_has_no_class_that_does_not_exist():
    assert _errors() >= NAMED
