"""A small project with its own components, on which the verbs are tried."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

PIPELINE = """
from penstock.dsl import Pipeline, RuntimeParameter
from components.words import CountWords, ReadText, Report

epochs = RuntimeParameter("epochs", int, default=2, description="How often")

read = ReadText(source="data/words.txt")
count = CountWords(text=read.outputs["text"], times=epochs, module_file="modules/counting.py")
report = Report(counts=count.outputs["counts"])

pipeline = Pipeline("words", components=[read, count, report])
"""

COMPONENTS = '''
"""Components of the test project."""
from penstock.artifacts import Artifact, Integer, String
from penstock.dsl import Component, ExternalPath, Input, ModuleFile, Output, output


class ReadText(Component):
    """Reads a text."""
    source: ExternalPath
    text: Output[String] = output()

    def run(self, context):
        with open(context.resolve_path(self.source), encoding="utf-8") as file:
            self.text.value = file.read()


class CountWords(Component):
    """Counts words."""
    text: Input[String]
    times: int = 1
    module_file: ModuleFile = ""
    counts: Output[Integer] = output()

    def run(self, context):
        module = context.load_module(self.module_file)
        self.counts.value = module.count(self.text.value) * self.times
        context.log.info("counted %d words", self.counts.value)
        context.report_metrics({"words": self.counts.value})


class Report(Component):
    """Writes a report."""
    counts: Input[Integer]
    report: Output[String] = output()

    def run(self, context):
        self.report.value = f"{self.counts.value} words"
'''

FILES = {
    "pyproject.toml": "[tool.penstock]\n",
    "components/__init__.py": "",
    "modules/__init__.py": "",
    "pipelines/__init__.py": "",
    "pipelines/words.py": PIPELINE,
    "components/words.py": COMPONENTS,
    "modules/counting.py": "from modules.splitting import split\n\n\ndef count(text):\n"
    "    return len(split(text))\n",
    "modules/splitting.py": "from modules.letters import clean\n\n\ndef split(text):\n"
    "    return clean(text).split()\n",
    "modules/letters.py": "def clean(text):\n    return text.lower()\n",
    "data/words.txt": "one two three\n",
}


def write_project(root: Path, **changes: str) -> Path:
    """Write the project's files below `root`."""
    for name, text in {**FILES, **changes}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return root


@pytest.fixture
def imported_modules():
    """Return how many modules a process of one command imports: its time, on any machine."""

    def count(*words: str) -> int:
        code = (
            "import sys; from penstock.cli import main; main(sys.argv[1:]);"
            "print('modules:', len(sys.modules))"
        )
        ended = subprocess.run(
            [sys.executable, "-c", code, *words], check=True, capture_output=True, text=True
        )
        return int(ended.stdout.rpartition("modules: ")[2])

    return count


@contextlib.contextmanager
def forgotten_modules(root: Path) -> Iterator[None]:
    """Leave the import state as it was: the next test has other files under the same names.

    The repository's own `components` and the like, which the test run may have imported, step aside.
    """
    path = list(sys.path)
    aside = {
        name: sys.modules.pop(name)
        for name in list(sys.modules)
        if name.partition(".")[0] in ("components", "modules", "pipelines")
    }
    before = set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            places = list(getattr(sys.modules[name], "__path__", ()))
            if any(str(each or "").startswith(str(root)) for each in [origin, *places]):
                del sys.modules[name]
        sys.modules.update(aside)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = write_project(tmp_path / "project")
    monkeypatch.chdir(root)
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with forgotten_modules(tmp_path):
        yield root
