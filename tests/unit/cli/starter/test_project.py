"""Projects for tables of every kind are sound: written without training a model."""

from __future__ import annotations

import csv
import random
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from penstock.cli import main
from penstock.cli.starter.installed import Installed
from penstock.cli.starter.plan import make_plan
from penstock.cli.starter.project import EXAMPLE, quoted, write_project

NAMES = [
    "", "length (mm)", "größe", "class", "a/b:c%", 'quo"te', "it's \"both\"", "年龄", "import", "a", "a",
    " spaced ", "when?", "empty", "tail", "yes or no", "stars", "price",
]  # fmt: skip


@pytest.fixture
def table(tmp_path):
    """A table with everything that people have in headers and cells."""
    chance = random.Random(1)
    file = tmp_path / "odd names.csv"
    with file.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text, delimiter=";")
        writer.writerow(NAMES)
        for i in range(120):
            number = chance.random()
            writer.writerow([
                i, number if i % 9 else "NA", chance.randint(0, 9), chance.choice(["u", "v", ""]),
                chance.random(), chance.gauss(0, 1), chance.choice("mn"), chance.randint(1, 80),
                chance.choice(["x;1", 'y"2', "z\n3"]), chance.random(), chance.randint(0, 3),
                chance.choice(["é", "漢字"]), f"2013-0{i % 9 + 1}-1{i % 7} 1{i % 5}:00" if i % 8 else "",
                "", 10 ** (i / 20), "" if i % 17 == 0 else ("yes" if number > 0.5 else "no"),
                f"{chance.randint(1, 5)}.0", round(100 * number, 2),
            ])  # fmt: skip
    return file


def ruff(folder: Path, *words: str) -> None:
    program = Path(sys.executable).with_name("ruff")
    if not program.exists():
        pytest.skip("ruff is not installed")
    subprocess.run([program, *words, "--line-length", "100", "."], cwd=folder, check=True)


@pytest.mark.parametrize("label", ["yes or no", "stars", "price", "class", "import"])
def test_what_is_written_is_formatted_python(table, tmp_path, monkeypatch, capsys, label):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "odd", "--data", str(table), "--label", label]) == 0
    said = capsys.readouterr().out
    assert "column 1 has no name: it is 'index' in the project's copy" in said
    assert "taken as missing: NA" in said
    project = tmp_path / "odd"
    unlabelled = (project / "components/labelled_rows.py").exists()
    assert unlabelled == (label in ("yes or no", "class"))
    for file in project.rglob("*"):
        if file.is_file():
            text = file.read_text("utf-8")
            assert "{{" not in text
            assert "\n%" not in text
            if file.suffix == ".py":
                compile(text, str(file), "exec")
    ruff(project, "format", "--check")
    ruff(project, "check")


def test_its_pipeline_has_nothing_wrong_and_its_tests_pass(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["init", "odd", "--data", str(table), "--label", "yes or no"]) == 0
    for words, said in (
        (["penstock", "check", "pipelines/odd.py"], "nothing wrong"),
        (["pytest", "-q", "-p", "no:cacheprovider"], "6 passed"),
    ):
        ended = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=tmp_path / "odd", capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert said in ended.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "t.csv"], "--data needs --label"),
        (["--label", "y"], "--label needs --data"),
        (["--task", "regression"], "--task needs --data"),
        (["--data", "no.csv", "--label", "y"], "there is no file 'no.csv'"),
        (["--data", "t.csv", "--label", "z"], "has no column 'z'"),
    ],
)
def test_nothing_is_written_where_something_is_wrong(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text("x,y\n1,2\n")
    assert main(["init", "odd", *words]) in (2, 3)
    assert said in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.parametrize(
    "text", ["plain", 'a"b', "it's", 'it\'s "both" "ways"', 'q\\"x', "a\nb", "漢字"]
)
def test_quoted_text_is_the_text(text):
    assert eval(quoted(text)) == text


@pytest.mark.parametrize(
    ("installed", "in_makefile", "in_dockerfile"),
    [
        (Installed("penstock-ml[run]==0.1.0"), "image: $(STAMP)\n\t@$(BIN)/penstock image build --name p\n",
         '--compile "penstock-ml[run]==0.1.0"\n'),
        (Installed("penstock-ml[run] @ git+https://x.org/p.git@ab12"),
         'wheels "penstock-ml[run] @ git+https://x.org/p.git@ab12"\n', "COPY wheels"),
        (Installed("penstock-ml[run] @ file:///p", "/p", True), "--no-deps --editable '/p'\n",
         "COPY wheels"),
    ],
)  # fmt: skip
def test_the_penstock_that_it_asks_for(tmp_path, installed, in_makefile, in_dockerfile):
    write_project(tmp_path / "p", "p", make_plan(EXAMPLE, "species"), installed)
    project = tomllib.loads((tmp_path / "p/pyproject.toml").read_text("utf-8"))["project"]
    assert project["dependencies"] == [installed.requirement]
    makefile = (tmp_path / "p/Makefile").read_text("utf-8")
    assert in_makefile in makefile
    assert makefile.count("--editable") == (2 if installed.editable else 1)
    assert in_dockerfile in (tmp_path / "p/Dockerfile").read_text("utf-8")


def test_a_broken_row_that_was_not_looked_at_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("penstock.cli.starter.table.LOOKED_AT", 60)
    rows = "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(70))
    (tmp_path / "t.csv").write_text(f",x,y\n{rows}1,2\n")
    assert main(["init", "work/odd", "--data", "t.csv", "--label", "y"]) == 2
    assert "line 72: expected 3 cells" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["t.csv"]
