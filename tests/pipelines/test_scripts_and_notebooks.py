"""Pipelines whose components are defined in a notebook, at a prompt, on standard input or in a script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import penstock

DEFINITIONS = """
from penstock import Input, LocalDagRunner, Pipeline, component
from penstock.artifacts import Integer

FACTOR = 7

def scaled(n):
    return n * FACTOR

@component
def one(n: int = 3) -> int:
    return scaled(n)

@component
def two(number: Input[Integer]) -> int:
    return number.value + 1

first = one()
second = two(number=first.outputs["result"])
pipeline = Pipeline("nb", components=[first, second])
"""
RUN = """
result = LocalDagRunner(in_process={}).run(pipeline)
print([(id, node.state.value) for id, node in result.nodes.items()])
"""
# Runs cells as IPython does: in a module `__main__` without a file, their lines kept in `linecache`.
NOTEBOOK = """
import linecache, sys, types
module = types.ModuleType("__main__")
sys.modules["__main__"] = module
for number, text in enumerate(CELLS):
    name = f"/tmp/ipykernel_1/{number}.py"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec", dont_inherit=True), module.__dict__)
"""
RAN = "[('one', 'COMPLETE'), ('two', 'COMPLETE')]"
CACHED = "[('one', 'CACHED'), ('two', 'CACHED')]"


def python(folder: Path, *words: str, text: str = "", check: bool = True) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PENSTOCK_STORE"}
    # A script may run itself again and again: never for longer than this.
    ended = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, input=text, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip
    assert not check or ended.returncode == 0, ended.stderr
    return ended.stdout if check else ended.stderr


def notebook(folder: Path, *cells: str, check: bool = True) -> str:
    return python(folder, "-c", f"CELLS = {list(cells)!r}\n{NOTEBOOK}", check=check)


def runs(folder: Path) -> list[dict]:
    return json.loads(python(folder, "-m", "penstock", "runs", "--json"))


@pytest.mark.parametrize("in_process", [True, False])
def test_cells_of_a_notebook(tmp_path: Path, in_process: bool) -> None:
    run = RUN.format(in_process)
    assert notebook(tmp_path, DEFINITIONS, run, run).splitlines() == [RAN, CACHED]
    assert notebook(tmp_path, DEFINITIONS, run).splitlines() == [CACHED]
    changed = DEFINITIONS.replace("value + 1", "value + 2")
    expected = "[('one', 'CACHED'), ('two', 'COMPLETE')]"
    assert notebook(tmp_path, changed, run).splitlines() == [expected]
    why = python(tmp_path, "-m", "penstock", "why", "latest", "two")
    assert "__main__: two changed" in why
    assert (tmp_path / ".penstock/metadata.db").is_file()


def test_what_workers_cannot_be_given(tmp_path: Path) -> None:
    cells = [DEFINITIONS.replace("FACTOR = 7", "FACTOR = type('N', (int,), {})(7)")]
    said = notebook(tmp_path, *cells, RUN.format(False), check=False)
    assert "FACTOR is a __main__.N that was made here" in said
    run = RUN.format(True)
    expected = "[('one', 'COMPLETE'), ('two', 'CACHED')]"
    assert notebook(tmp_path, *cells, run, run).splitlines() == [RAN, expected]
    why = python(tmp_path, "-m", "penstock", "why", "latest", "one")
    assert "the value of FACTOR cannot be kept in a cache key" in why


@pytest.mark.parametrize(("words", "in_process"), [(["-"], True), (["-c"], True), (["-c"], False)])
def test_standard_input_and_commands(tmp_path: Path, words: list[str], in_process: bool) -> None:
    text = DEFINITIONS + RUN.format(in_process)
    if words == ["-c"]:
        assert python(tmp_path, "-c", text).splitlines() == [RAN]
    else:
        assert python(tmp_path, *words, text=text).splitlines() == [RAN]
    assert (tmp_path / ".penstock").is_dir()


def test_standard_input_that_is_gone_is_said(tmp_path: Path) -> None:
    said = python(tmp_path, "-", text=DEFINITIONS + RUN.format(False), check=False)
    assert "one has no source that can be read" in said
    assert "LocalDagRunner(in_process=True)" in said


@pytest.mark.parametrize("in_process", [True, False])
def test_a_script_without_a_guard_runs_once(tmp_path: Path, in_process: bool) -> None:
    (tmp_path / "unguarded.py").write_text(DEFINITIONS + RUN.format(in_process))
    assert python(tmp_path, "unguarded.py").splitlines() == [RAN]
    assert len(runs(tmp_path)) == 1
    python(tmp_path, "-m", "penstock", "run", "unguarded.py")
    assert len(runs(tmp_path)) == 2


def test_a_module_that_runs_a_pipeline_when_another_imports_it(tmp_path: Path) -> None:
    (tmp_path / "unguarded.py").write_text(DEFINITIONS + RUN.format(True))
    (tmp_path / "other.py").write_text("from unguarded import pipeline\n")
    said = python(tmp_path, "-m", "penstock", "run", "other.py", check=False)
    assert "other imports unguarded, which runs a pipeline when it is imported" in said
    assert 'if __name__ == "__main__"' in said


def test_a_component_below_the_run_is_said_to_be_missing(tmp_path: Path) -> None:
    (tmp_path / "unguarded.py").write_text(DEFINITIONS + RUN.format(True))
    code = (
        "from penstock.dsl.references import resolve\n"
        "import sys\nsys.path.insert(0, '.')\n"
        "resolve('unguarded:result')\n"
    )
    said = python(tmp_path, "-c", code, check=False)
    assert (
        "module 'unguarded' has no 'result'. Its import ends at the pipeline that it runs" in said
    )


def test_the_project_is_that_of_the_code_and_not_of_the_command(tmp_path: Path) -> None:
    project, commands = tmp_path / "project", tmp_path / "venv/bin"
    (project / "tests").mkdir(parents=True)
    commands.mkdir(parents=True)
    (project / "mine.py").write_text(DEFINITIONS)
    (project / "tests/test_mine.py").write_text(
        "from penstock import LocalDagRunner\nfrom mine import pipeline\n"
        "print(LocalDagRunner(in_process=True).run(pipeline).state)\n"
    )
    (commands / "launch").write_text(
        "import runpy, sys\nsys.path.insert(0, '.')\nsys.path.insert(0, 'tests')\nimport test_mine\n"
    )
    assert python(project, str(commands / "launch")) == "COMPLETE\n"
    assert [each.relative_to(tmp_path) for each in tmp_path.rglob(".penstock")] == [
        Path("project/.penstock")
    ]


def test_a_file_that_was_loaded_under_a_name_of_its_loader(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/daily.py").write_text(DEFINITIONS)
    load = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('unusual_prefix_daily', 'dags/daily.py')\n"
        "module = importlib.util.module_from_spec(spec)\n"
        "sys.modules[spec.name] = module\n"
        "spec.loader.exec_module(module)\n"
        "print(module.LocalDagRunner().run(module.pipeline).state)\n"
    )
    assert python(tmp_path, "-c", load) == "COMPLETE\n"
    assert (tmp_path / "dags/.penstock").is_dir()


KERNEL = """
import json, sys
import nbformat
from nbclient import NotebookClient
cells = [nbformat.v4.new_code_cell(each) for each in json.loads(sys.argv[1])]
notebook = nbformat.v4.new_notebook(cells=cells)
NotebookClient(notebook, timeout=300, resources={"metadata": {"path": sys.argv[2]}}).execute()
for cell in notebook.cells:
    print("".join(each.get("text", "") for each in cell.outputs if each.get("name") == "stdout"), end="")
"""


@pytest.mark.slow
def test_a_real_jupyter_kernel(tmp_path: Path) -> None:
    venv, folder = tmp_path / "venv", tmp_path / "folder"
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    install = [venv / "bin/python", "-m", "pip", "install", "-q", "ipykernel", "nbclient"]
    subprocess.run(install, check=True)
    places = [str(Path(penstock.__file__).parents[1])]
    places += [each for each in sys.path if "site-packages" in each]
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "penstock_under_test.pth").write_text(f"import sys; sys.path += {places!r}\n")
    run = RUN.format(False)
    changed = DEFINITIONS.replace("value + 1", "value + 2")
    cells = ["!true", DEFINITIONS, run, RUN.format(True), changed, run]
    ended = subprocess.run(
        [venv / "bin/python", "-c", KERNEL, json.dumps(cells), folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    expected = [RAN, CACHED, "[('one', 'CACHED'), ('two', 'COMPLETE')]"]
    assert [line for line in ended.stdout.splitlines() if line.startswith("[(")] == expected
    assert (folder / ".penstock/metadata.db").is_file()
