"""What a notebook defines, as source that another process can run."""

from __future__ import annotations

import linecache
import sys
from types import ModuleType

import pytest

from penstock.dsl.main_module import MAIN, install_main
from penstock.dsl.main_source import MainSource
from penstock.dsl.references import reference, resolve


class Notebook:
    """Cells that are run in a module `__main__` without a file, as IPython does."""

    def __init__(self) -> None:
        self.module = ModuleType(MAIN)
        self.count = 0

    def run(self, text: str) -> None:
        self.count += 1
        name = f"<cell {self.count} of {id(self)}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        exec(compile(text, name, "exec", dont_inherit=True), self.module.__dict__)

    def source(self, *names: str) -> MainSource:
        return MainSource.of(names)


@pytest.fixture
def notebook(monkeypatch):
    notebook = Notebook()
    monkeypatch.setitem(sys.modules, MAIN, notebook.module)
    return notebook


def call(source: MainSource, name: str = "f", *arguments):
    """Run a source as a worker does, and call a function of it."""
    assert source.refusal() == ""
    install_main(source.text)
    return getattr(sys.modules[MAIN], name)(*arguments)


def test_a_function_takes_along_what_it_uses(notebook):
    notebook.run("import math\nimport os.path as places\nfrom json import dumps as write\n")
    notebook.run("SIZE = 3\nNAMES = {'b', 'a'}\nTABLE = {'x': (1, [2.5, None])}\n")
    notebook.run("def helper(x):\n    return x + SIZE\n\nclass Model:\n    size = SIZE\n")
    notebook.run(
        "def f(x):\n"
        "    return [helper(x), math.floor(2.5), places.join('a', 'b'), write(TABLE), sorted(NAMES),\n"
        "            Model().size]\n"
    )
    source = notebook.source("f")
    assert call(source, "f", 4) == [7, 2, "a/b", '{"x": [1, [2.5, null]]}', ["a", "b"], 3]


def test_what_is_not_used_stays_behind(notebook):
    notebook.run("df = object()\nUNUSED = 1\n")
    notebook.run("def f(df):\n    return df\n\ndef g():\n    return df\n")
    source = notebook.source("f")
    assert source.text.strip() == "def f(df):\n    return df"
    assert source.refused == {}


def test_the_latest_definition_counts(notebook):
    notebook.run("def helper():\n    return 1\n")
    notebook.run("def f():\n    return helper()\n")
    notebook.run("def helper():\n    return 2\n")
    assert call(notebook.source("f")) == 2


def test_decorators_bases_and_defaults_come_first(notebook):
    notebook.run(
        "import functools\n"
        "def twice(function):\n"
        "    @functools.wraps(function)\n"
        "    def inside(*arguments):\n"
        "        return 2 * function(*arguments)\n"
        "    return inside\n"
        "class Base:\n"
        "    def size(self):\n"
        "        return 3\n"
    )
    notebook.run(
        "STEP = 5\nclass A(Base):\n    pass\n@twice\ndef f(x=STEP):\n    return x + A().size()\n"
    )
    assert call(notebook.source("f")) == 16


def test_a_class_without_methods_is_found_in_its_cell(notebook):
    notebook.run(
        "from typing import NamedTuple\nclass Pair(NamedTuple):\n    a: int = 1\n    b: int = 2\n"
    )
    notebook.run("def f():\n    return tuple(Pair())\n")
    assert call(notebook.source("f")) == (1, 2)


def test_a_component_travels_with_its_decorator(notebook):
    notebook.run(
        "from penstock import component\n@component\ndef f(n: int = 3) -> int:\n    return n\n"
    )
    component = notebook.module.f
    assert reference(component) == "__main__:f"
    assert resolve("__main__:f") is component
    source = notebook.source("f")
    install_main(source.text)
    assert resolve("__main__:f").FUNCTION(5) == 5
    assert resolve("__main__:f").__module__ == MAIN


def test_equal_definitions_have_equal_sources(notebook):
    notebook.run("NAMES = {'a', 'b', 'c', 'd'}\ndef f():\n    return NAMES\n")
    first = notebook.source("f")
    notebook.run("NAMES = {'d', 'c', 'b', 'a'}\ndef f():\n    return NAMES\n")
    assert notebook.source("f").text == first.text


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (
            "model = object()\ndef f():\n    return model\n",
            "model is a builtins.object that was made here",
        ),
        (
            "def make():\n    def inside():\n        pass\n    return inside\nf = make()\n",
            "f was made by another function (make.<locals>.inside); a decorator must use functools.wraps",
        ),
        (
            "import sys\nme = sys.modules['__main__']\ndef f():\n    return me\n",
            "me is the notebook itself",
        ),
        ("BIG = 'x' * 200_000\ndef f():\n    return BIG\n", "BIG is a value of 200,002 characters"),
    ],
)
def test_what_cannot_travel_is_refused_in_words(notebook, cells, reason):
    notebook.run(cells)
    refusal = notebook.source("f").refusal()
    assert reason in refusal
    assert "LocalDagRunner(in_process=True)" in refusal


def test_a_function_without_source_is_refused(notebook):
    exec(compile("def f(): pass\n", "<nowhere>", "exec"), notebook.module.__dict__)
    assert notebook.source("f").refused == {"f": "has no source that can be read"}


def test_tracebacks_and_readers_of_source_find_it(notebook):
    import inspect

    notebook.run("def f():\n    return 1\n")
    install_main(notebook.source("f").text)
    assert inspect.getsource(sys.modules[MAIN].f) == "def f():\n    return 1\n"


def test_what_a_call_decorated_is_decorated_in_a_worker(notebook):
    notebook.run(
        "import functools\n"
        "def tenfold(f):\n"
        "    @functools.wraps(f)\n"
        "    def g(*a):\n"
        "        return 10 * f(*a)\n"
        "    return g\n"
        "def double(x):\n"
        "    return 2 * x\n"
    )
    notebook.run("large = tenfold(double)\ndouble = tenfold(double)\n")
    notebook.module.other = notebook.module.tenfold(notebook.module.large)
    assert "cannot be found" in notebook.source("other").refusal()
    sources = {name: notebook.source(name) for name in ("large", "double")}
    for name, source in sources.items():
        assert call(source, name, 3) == 60
