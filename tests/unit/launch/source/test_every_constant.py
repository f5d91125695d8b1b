"""Each constant of a project is changed in turn: where the result changes, the key must change.

The project below reaches its constants in all the ways that Python has. Constants from 900 are out of
the entry function's reach, so that the key must stay as it is.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.launch.digest_memo import DigestMemo
from penstock.launch.source.closure import SourceClosure

FILES = {
    "pkg/__init__.py": """
from pkg.core import exported as renamed
VERSION = 901
""",
    "pkg/core.py": """
from __future__ import annotations
import functools
SCALE = 2
UNUSED = (902, 903)
def exported(x: int = 3) -> int:
    return x * SCALE
def unused(x):
    return x + 904
class Base:
    factor = 4
    def value(self):
        return self.factor
class Derived(Base):
    def value(self):
        return super().value() + 5
class Other(Base):
    factor = 905
@functools.cache
def cached():
    return Derived().value()
@functools.cache
def unused_cached():
    return 906
""",
    "pkg/registry.py": """
TABLE = {}
def register(function):
    TABLE[function.__name__] = function
    return function
""",
    "pkg/plugins.py": """
from pkg.registry import register
STEP = 6
@register
def plugin():
    return STEP + helper()
def helper():
    return 7
def not_a_plugin():
    return 907
""",
    "pkg/dynamic.py": """
FIRST = 8
def first():
    return FIRST
def second():
    return 9
def pick(name):
    return globals()[name]()
""",
    "pkg/passed.py": """
def one():
    return 10
def two():
    return 11
""",
    "pkg/state.py": """
LIMIT = 12
NAMES = ["a"]
NAMES.append("b" * 13)
if LIMIT > 5:
    LIMIT = 14
else:
    LIMIT = 15
try:
    import no_such_module_at_all as found
except ImportError:
    found = 16
for COUNT in range(17):
    pass
OTHER = 908
def total():
    return LIMIT + len(NAMES[1]) + found + COUNT
""",
    "pkg/patched.py": """
VALUE = 18
def get():
    return VALUE
def spare():
    return 909
""",
    "pkg/star.py": """
FROM_STAR = 19
""",
    "entry.py": """
from typing import TYPE_CHECKING
import functools
import pkg.core
import pkg.core as core
import pkg.passed
import pkg.patched as patched
import pkg.plugins
from pkg import dynamic, renamed, state
from pkg.registry import TABLE
if TYPE_CHECKING:
    from pkg.star import FROM_STAR
    SIZE = 910
NUMBERS = [20, 21]
TEXT = f"{NUMBERS[0]}" + "x" * 22
PAIRS = {name: len(name) + 23 for name in ("a", "b")}
FIRST, SECOND = 24, 25
ADDED = 26
ADDED += 27
LAMBDA = lambda x: x + 28
UNUSED = 911
patched.VALUE = 29
def default(x=30, *, y=31):
    return x + y
def decorated_by(function):
    @functools.wraps(function)
    def inside():
        return function() + 32
    return inside
@decorated_by
def decorated():
    return 33
@decorated_by
def decorated_and_unused():
    return 34
def recursive(n):
    return 35 if n == 0 else recursive(n - 1)
def by_name(function):
    return function() + 36
def given():
    return 37
def closure():
    inner = 38
    def add(x):
        return x + inner
    return add(39)
def local_import():
    from pkg.star import FROM_STAR as value
    return value
def sets_global():
    global MADE
    MADE = 40
def reads_global():
    sets_global()
    return MADE
class Model:
    size: int = 41
    table = {"k": 42}
    @property
    def width(self):
        return self.size
    @staticmethod
    def depth():
        return 43
def unused():
    return 912 + Unused.size
class Unused:
    size = 913
def run_fn():
    return repr([
        renamed(), core.cached(), pkg.core.exported(44), TABLE["plugin"](), dynamic.pick("second"),
        getattr(pkg.passed, "one")(), state.total(), patched.get(), NUMBERS, TEXT, PAIRS, SECOND,
        ADDED, LAMBDA(0), default(), decorated(), recursive(3), by_name(given), closure(),
        local_import(), reads_global(), Model().width, Model.depth(), Model.table,
    ])
if __name__ == "__main__":
    print(run_fn(), 914)
""",
}


def constants() -> list[tuple[str, int]]:
    found = []
    for name, text in FILES.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and type(node.value) is int and node.value > 1:
                found.append((name, node.value))
    return sorted(found, key=lambda each: each[1])


def result(root: Path) -> str:
    """Import the project afresh and call its function."""
    for name in [each for each in sys.modules if each.partition(".")[0] in ("entry", "pkg")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    sys.path.insert(0, str(root))
    try:
        module = importlib.import_module("entry")
        try:
            return module.run_fn()
        except Exception as error:
            return repr(error)
    finally:
        sys.path.remove(str(root))


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    yield tmp_path
    for name in [each for each in sys.modules if each.partition(".")[0] in ("entry", "pkg")]:
        del sys.modules[name]


def edits() -> Iterator[tuple[str, str, str]]:
    """Yield (what is done, file, text): each top-level statement removed, or put before the last one."""
    for name, text in FILES.items():
        body = ast.parse(text).body
        for place, statement in enumerate(body):
            without = [*body[:place], *body[place + 1 :]]
            shown = f"line {statement.lineno} of {name}"
            yield f"without {shown}", name, ast.unparse(ast.Module(without, []))
            if place:
                swapped = [*body[: place - 1], statement, body[place - 1], *body[place + 1 :]]
                yield f"{shown} moved up", name, ast.unparse(ast.Module(swapped, []))


def digests(project):
    return SourceClosure(str(project), DigestMemo()).digests(["entry:run_fn"])


def test_what_changes_the_result_changes_the_key_and_what_is_out_of_reach_does_not(project):
    first, key = result(project), digests(project)
    missed, needless = [], []
    for name, value in constants():
        path = project / name
        text = FILES[name]
        path.write_text(re.sub(rf"\b{value}\b", f"{value + 1000}", text))
        changed = result(project) != first
        if changed and digests(project) == key:
            missed.append((name, value))
        if not changed and value > 900 and digests(project) != key:
            needless.append((name, value))
        assert not (changed and value > 900), f"{value} in {name} is in reach"
        path.write_text(text)
    assert missed == []
    # A module that looks names up counts as a whole, with all that it imports.
    assert needless == []


def test_statements_that_are_removed_or_moved_change_the_key_where_they_change_the_result(project):
    first, key = result(project), digests(project)
    changes = 0
    missed = []
    for what, name, text in edits():
        path = project / name
        path.write_text(text)
        # What cannot be imported any more has no result that a cached one could be taken for.
        changed = False
        with contextlib.suppress(Exception):
            changed = result(project) != first
        changes += changed
        if changed and digests(project) == key:
            missed.append(what)
        path.write_text(FILES[name])
    assert changes > 25
    assert missed == []
