from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.cli import main


@pytest.fixture
def made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "my-taxi"]) == 0
    said = capsys.readouterr().out
    assert "penstock run pipelines/my_taxi.py" in said
    assert "species: 3 classes, Adelie (44%), Gentoo (36%), Chinstrap (20%)" in said
    return tmp_path / "my-taxi"


def test_the_files_of_a_project(made):
    files = {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()}
    assert files == {
        ".dockerignore",
        ".gitignore",
        "Dockerfile",
        "Makefile",
        "README.md",
        "components/__init__.py",
        "components/row_counts.py",
        "data/penguins.csv",
        "modules/__init__.py",
        "modules/columns.py",
        "modules/my_taxi.py",
        "pipelines/__init__.py",
        "pipelines/my_taxi.py",
        "pyproject.toml",
        "tests/test_my_taxi.py",
    }
    for path in made.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8")
            assert "project_name" not in text
            assert "project-name" not in text
            assert "{{" not in text
            assert "%if" not in text


def test_the_data_are_the_penguins_and_are_called_so(made):
    data = (made / "data/penguins.csv").read_bytes()
    assert data == (Path(__file__).parents[3] / "data/penguins/penguins.csv").read_bytes()
    readme = (made / "README.md").read_text("utf-8")
    assert "`data/penguins.csv`" in readme
    for name in data.decode().splitlines()[0].split(","):
        assert f'"{name}"' in readme or f"`{name}`" in readme


def test_every_python_file_compiles_and_is_formatted(made):
    for path in made.rglob("*.py"):
        compile(path.read_text("utf-8"), str(path), "exec")
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    subprocess.run([ruff, "format", "--check", "--line-length", "100", "."], cwd=made, check=True)
    subprocess.run([ruff, "check", "--line-length", "100", "."], cwd=made, check=True)


def penstock(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "penstock", *words],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_its_pipeline_has_nothing_wrong(made):
    ended = penstock(made, "check", "pipelines/my_taxi.py")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "nothing wrong" in ended.stdout


def test_its_own_tests_pass(made):
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=made, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout
    assert "5 passed" in ended.stdout


@pytest.mark.tensorflow
def test_it_runs_to_a_pushed_model_that_answers(made):
    ended = penstock(made, "run", "pipelines/my_taxi.py", "--seed", "1", "--json")
    assert ended.returncode == 0, ended.stderr
    nodes = json.loads(ended.stdout)["nodes"]
    assert {node["state"] for node in nodes.values()} == {"COMPLETE"}
    assert nodes["Evaluator"]["metrics"]["sparse_categorical_accuracy"] > 0.9

    readme = (made / "README.md").read_text("utf-8")
    code = readme[readme.index("```python") :].removeprefix("```python").partition("```")[0]
    asked = subprocess.run(
        [sys.executable, "-c", code], cwd=made, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr
    (answer,) = ast.literal_eval(asked.stdout)
    assert answer["prediction"] == "Adelie"
    assert sum(answer["probabilities"]) == pytest.approx(1)


@pytest.mark.parametrize("name", ["Taxi", "1taxi", "ta xi", "taxi!", "class", "modules", "x" * 50])
def test_names_that_cannot_be(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    assert main(["init", name]) == 2
    assert repr(name) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taxi").mkdir()
    (tmp_path / "taxi/notes.txt").write_text("mine")
    assert main(["init", "taxi"]) == 2
    assert "taxi is not empty" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["init", "file"]) == 2
    assert [each.name for each in (tmp_path / "taxi").iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_taken(tmp_path, monkeypatch):
    (tmp_path / "taxi").mkdir()
    monkeypatch.chdir(tmp_path / "taxi")
    assert main(["init", "."]) == 0
    assert (tmp_path / "taxi/pipelines/taxi.py").exists()


def test_a_script_of_the_project_finds_its_modules(made):
    (made / "pipelines/wiring.py").write_text(
        "from penstock import Pipeline\nfrom pipelines.my_taxi import pipeline\nprint(pipeline.name)\n"
    )
    ended = subprocess.run(
        [sys.executable, "my-taxi/pipelines/wiring.py"],
        cwd=made.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.stdout == "my_taxi\n", ended.stderr


def test_what_makes_a_verdict_worth_little_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = [f"a long name of column {i}" for i in range(80)]
    rows = [
        f"{','.join(str(i * j % 97) for j in range(1, 81))},{'bad' if i % 50 == 0 else 'ok'}"
        for i in range(300)
    ]
    (tmp_path / "t.csv").write_text("\n".join([",".join([*names, "kind"]), *rows]))
    assert main(["init", "wide", "--data", "t.csv", "--label", "kind"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "only 6 rows of 'bad'; the model is judged by about a fifth of the rows" in told
    assert re.search(r"a long name of column \d+ and \d+ more: see modules/columns.py", told)
    (tmp_path / "n.csv").write_text("".join(f"{i},{i * 7 % 11}\n" for i in range(100)))
    assert main(["init", "plain", "--data", "n.csv", "--label", "0"]) == 0
    assert "does the file begin with a header line?" in " ".join(capsys.readouterr().out.split())
