"""One change at a time: whether a node runs again, and the sentence that `penstock why` gives.

Each row runs a small project twice in processes of its own, with one change between.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.cli import main

FILES = {
    "project/pyproject.toml": "[tool.penstock]\nstore = '../kept/metadata.db'\nroot = '../kept'\n",
    "project/components/__init__.py": "",
    "project/modules/__init__.py": "",
    "project/pipelines/__init__.py": "",
    "project/components/words.py": '''
from penstock.artifacts import Integer, String
from penstock.dsl import Component, ExternalPath, Input, ModuleFile, Output, output


class ReadText(Component):
    """Reads a text."""
    USES_SEED = False
    source: ExternalPath
    text: Output[String] = output()

    def run(self, context):
        with open(context.resolve_path(self.source), encoding="utf-8") as file:
            self.text.value = file.read()


class CountWords(Component):
    """Counts words."""
    LIBRARIES = ("words-lib",)
    MODULE_FUNCTIONS = ("count",)
    text: Input[String]
    more: Input[String] | None = None
    times: int = 1
    module_file: ModuleFile = ""
    counts: Output[Integer] = output()

    def run(self, context):
        module = context.load_module(self.module_file)
        self.counts.value = module.count(self.text.value) * self.times
''',
    "project/pipelines/words.py": """
from components.words import CountWords, ReadText
from penstock.dsl import Pipeline, RuntimeParameter

read = ReadText(source="data/words.txt")
count = CountWords(
    text=read.outputs["text"],
    times=RuntimeParameter("times", int, default=2),
    module_file="modules/counting.py",
)
pipeline = Pipeline("words", components=[read, count])
""",
    "project/modules/counting.py": """
from modules.registry import REGISTRY, register
from modules.splitting import split

OFFSET = 0
LONGEST = 20


def count(text):
    return len(split(text)) + OFFSET


def other(text):
    return len(text[:LONGEST])


class Other:
    def method(self):
        return other("x")


@register("upper")
def upper(text):
    return text.upper()
""",
    "project/modules/registry.py": """
REGISTRY = {}


def register(name):
    def decorate(function):
        REGISTRY[name] = function
        return function
    return decorate
""",
    "project/modules/splitting.py": "from modules.letters import clean\n\n\n"
    "def split(text):\n    return clean(text).split()\n",
    "project/modules/letters.py": "def clean(text):\n    return text.lower()\n",
    "project/modules/unused.py": "x = 1\n",
    "project/data/words.txt": "one two three\n",
    "site/words_lib-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: words-lib\nVersion: 1.0\n",
}


class Place:
    """A project, its store beside it, and an import path with one library."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = root / "project"
        self.arguments: list[str] = []
        self.node = "CountWords"
        for name, text in FILES.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.project / name
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    def penstock(self, *words: str) -> dict:
        environment = {**os.environ, "PYTHONPATH": str(self.root / "site")}
        environment.pop("PENSTOCK_STORE", None)
        ended = subprocess.run(
            [sys.executable, "-m", "penstock", *words, "--json"],
            cwd=self.project, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def run(self, *words: str) -> dict[str, str]:
        in_process = () if "--max-parallel" in words else ("--in-process",)
        result = self.penstock("run", "pipelines/words.py", *in_process, *words)
        return {id: node["state"] for id, node in result["nodes"].items()}


def comment(place: Place) -> None:
    place.edit(
        "modules/letters.py", "def clean(text):\n", 'def clean(text):\n    """Cleans."""  # so\n'
    )


def touch(place: Place) -> None:
    for path in place.project.rglob("*.*"):
        os.utime(path, (2_000_000_000, 2_000_000_000))


def move_project(place: Place) -> None:
    moved = place.root / "elsewhere"
    shutil.move(place.project, moved)
    place.project = moved


def move_data(place: Place) -> None:
    shutil.move(place.project / "data", place.project / "inbox")
    place.edit("pipelines/words.py", "data/words.txt", "inbox/words.txt")


def upgrade_library(place: Place) -> None:
    old = place.root / "site/words_lib-1.0.dist-info"
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: words-lib\nVersion: 1.1\n")
    shutil.move(old, place.root / "site/words_lib-1.1.dist-info")


def with_arguments(*words: str) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        place.arguments = list(words)

    return change


def edit(name: str, old: str, new: str, node: str = "CountWords") -> Callable[[Place], None]:
    def change(place: Place) -> None:
        place.node = node
        place.edit(name, old, new)

    return change


def both(*changes: Callable[[Place], None]) -> Callable[[Place], None]:
    def change(place: Place) -> None:
        for each in changes:
            each(place)

    return change


import_unused = edit(
    "modules/letters.py", "def clean", "from modules.unused import x\n\n\ndef clean"
)


def expire(place: Place) -> None:
    place.edit(
        "pipelines/words.py",
        "pipeline =",
        "count.with_policy(cache_max_age_seconds=0.2)\npipeline =",
    )
    time.sleep(0.4)


def remove_outputs(place: Place) -> None:
    shutil.rmtree(place.root / "kept/words/CountWords/counts")


def collect_garbage(place: Place) -> None:
    place.run("--param", "times=9")
    place.penstock("gc", "--keep", "1", "--yes")


def look_at_read_text(change: Callable[[Place], None]) -> Callable[[Place], None]:
    def both(place: Place) -> None:
        change(place)
        place.node = "ReadText"

    return both


change_data = edit("data/words.txt", "three", "four")
NO_DIFFERENCE = (
    "It ran because the cache is off",
    "execution 2 expired",
    "output counts",
    "the store has",
)
SAME = "Nothing that determines its outputs has changed since execution 2 of run "


@dataclasses.dataclass(frozen=True)
class Row:
    """A change, the node's state in the run after it, and what `why` says of it."""

    name: str
    change: Callable[[Place], None]
    state: str
    sentence: str
    others: str = "CACHED"
    more: int = 0
    """Further differences that the change makes."""

    @property
    def differences(self) -> int:
        changed = self.sentence != SAME and not self.sentence.startswith(NO_DIFFERENCE)
        return changed + self.more


TABLE = [
    Row("nothing", lambda place: None, "CACHED", SAME),
    Row("a function two imports away", edit("modules/letters.py", "lower()", "upper()"), "COMPLETE",
        "modules/letters.py: clean changed"),
    Row("the function that is called",
        edit("modules/counting.py", "split(text))", "split(text)) + 1"), "COMPLETE",
        "modules/counting.py: count changed"),
    Row("another function of the module",
        edit("modules/counting.py", "len(text[", "1 + len(text["), "CACHED", SAME),
    Row("a class of the module that is not used",
        edit("modules/counting.py", 'other("x")', 'other("y")'), "CACHED", SAME),
    Row("a function that is new and not used",
        edit("modules/counting.py", "def other", "def new():\n    pass\n\n\ndef other"), "CACHED", SAME),
    Row("a constant that is used", edit("modules/counting.py", "OFFSET = 0", "OFFSET = 3"),
        "COMPLETE", "modules/counting.py: OFFSET changed"),
    Row("a constant that is not used", edit("modules/counting.py", "LONGEST = 20", "LONGEST = 3"),
        "CACHED", SAME),
    Row("a function that is registered on import",
        edit("modules/counting.py", "text.upper()", "text.title()"), "COMPLETE",
        "modules/counting.py: code that runs when it is imported changed"),
    Row("what registers functions on import",
        edit("modules/registry.py", "[name] = function", "[name] = None"), "COMPLETE",
        "modules/registry.py: register changed"),
    Row("code that is new on import",
        edit("modules/letters.py", "def clean", "assert str\n\n\ndef clean"), "COMPLETE",
        "modules/letters.py runs code when it is imported, but did not before"),
    Row("a name that is looked up at run time",
        edit("modules/letters.py", "text.lower()", "eval('text.lower()')"), "COMPLETE",
        "modules/letters.py changed"),
    Row("a comment and a docstring", comment, "CACHED", SAME),
    Row("a module that is not imported", edit("modules/unused.py", "1", "2"), "CACHED", SAME),
    Row("a module that is imported now",
        both(edit("modules/letters.py", "text.lower()", "text.lower() * x"), import_unused),
        "COMPLETE", "modules/unused.py: x is used now but was not before", more=1),
    Row("a module that is imported and not used", import_unused, "CACHED", SAME),
    Row("the component's own code", edit("components/words.py", "* self.times", "* 2 * self.times"),
        "COMPLETE", "components/words.py: CountWords changed"),
    Row("the data file", look_at_read_text(change_data), "COMPLETE",
        "content of data file source/words.txt changed", others="COMPLETE"),
    Row("the data file, seen from downstream", change_data, "COMPLETE",
        "input text changed: ReadText ran again with a different output", others="COMPLETE"),
    Row("touching every file", touch, "CACHED", SAME),
    Row("a moved project", move_project, "CACHED", SAME),
    Row("a renamed data folder", move_data, "CACHED", SAME),
    Row("another name of the pipeline", edit("pipelines/words.py", '"words"', '"other"'), "CACHED",
        SAME),
    Row("the number of workers", with_arguments("--max-parallel", "2"), "CACHED", SAME),
    Row("a parameter", with_arguments("--param", "times=5"), "COMPLETE",
        "parameter times changed: 2 -> 5"),
    Row("a library's version", upgrade_library, "COMPLETE",
        "library words-lib changed: 1.0 -> 1.1"),
    Row("the seed", with_arguments("--seed", "7"), "COMPLETE", "the seed changed: none -> 7"),
    Row("determinism", with_arguments("--deterministic"), "COMPLETE",
        "the determinism switch changed: false -> true"),
    Row("a further input",
        edit("pipelines/words.py", "    times=", '    more=read.outputs["text"],\n    times='),
        "COMPLETE", "input more has an artifact now but had none before"),
    Row("another name of the node",
        edit("pipelines/words.py", "pipeline =", 'count.with_id("Count")\npipeline =', node="Count"),
        "COMPLETE", "the store has no earlier execution of words.Count"),
    Row("the cache off for the node",
        edit("pipelines/words.py", "pipeline =", "count.with_policy(cache=False)\npipeline ="),
        "COMPLETE", "It ran because the cache is off for this node (with_policy(cache=False))."),
    Row("the cache off for the pipeline",
        edit("pipelines/words.py", "[read, count]", "[read, count], enable_cache=False"),
        "COMPLETE", "It ran because the cache is off for the pipeline (enable_cache=False).",
        others="COMPLETE"),
    Row("the cache off for the run", with_arguments("--no-cache"), "COMPLETE",
        "It ran because the cache is off for the run (--no-cache).", others="COMPLETE"),
    Row("a result that is too old", expire, "COMPLETE", "execution 2 expired: it was "),
    Row("outputs that are gone", remove_outputs, "COMPLETE", "output counts of execution 2 is gone: "),
    Row("outputs that gc removed", collect_garbage, "COMPLETE",
        "output counts of execution 2 is DELETED"),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_one_change(row: Row, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = Place(tmp_path)
    assert place.run() == {"ReadText": "COMPLETE", "CountWords": "COMPLETE"}
    row.change(place)
    states = place.run(*place.arguments)
    assert states[place.node] == row.state
    (other,) = (state for id, state in states.items() if id != place.node)
    assert other == row.others
    capsys.readouterr()
    store = str(tmp_path / "kept/metadata.db")
    assert main(["why", "latest", place.node, "--store", store, "--json"]) == 0
    why = json.loads(capsys.readouterr().out)
    said = [why["headline"], *why["reasons"]]
    assert any(sentence.startswith(row.sentence) for sentence in said), said
    assert len(why["differences"]) == row.differences
