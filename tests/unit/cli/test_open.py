"""`open` and `head` on runs of the small project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.artifacts import ArtifactState, Examples
from penstock.cli import main
from penstock.store import MetadataStore, RunRecord, RunState

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "penguin" / "pipeline_root"

OWN_TYPE = '''
"""Components with an artifact type of their own."""
print("imported")
from penstock.artifacts import Artifact
from penstock.dsl import Component, Output, output


class Glossary(Artifact):
    """Terms."""

    def page_sections(self):
        with open(f"{self.uri}/terms.txt", encoding="utf-8") as file:
            return {"Terms": [{"term": line.strip()} for line in file]}


class WriteGlossary(Component):
    """Writes terms."""
    glossary: Output[Glossary] = output()

    def run(self, context):
        with open(f"{self.glossary.uri}/terms.txt", "w", encoding="utf-8") as file:
            file.write("alpha\\nbeta\\n")
'''
OWN_PIPELINE = """
from penstock.dsl import Pipeline
from components.glossary import WriteGlossary

pipeline = Pipeline("glossary", components=[WriteGlossary()])
"""


def run(file: str = "pipelines/words.py", *words: str) -> None:
    assert main(["run", file, "--in-process", "--progress", "none", *words]) == 0


@pytest.fixture
def a_run(project, capsys):
    run("pipelines/words.py", "--run-id", "a-first")
    capsys.readouterr()
    return project


@pytest.fixture
def examples(a_run):
    """The id of Examples that lie in the store."""
    root = a_run / "examples"
    shutil.copytree(GOLDEN / "CsvExampleGen/examples/1", root)
    artifact = Examples(str(root), state=ArtifactState.LIVE)
    artifact.splits = ["train", "eval"]
    with MetadataStore.open(".penstock/metadata.db") as store:
        store.create_run(RunRecord("b-imported", "words", 2.0, root=str(root)))
        store.publish_imported({"result": [artifact]}, run_id="b-imported", node_id="Importer")
        store.finish_run("b-imported", RunState.COMPLETE)
        (record,) = store.find_artifacts(type_name="Examples")
    return record.artifact.id


def read(capsys, *words: str, code: int = 0) -> str:
    assert main(list(words)) == code
    return capsys.readouterr().out


def refused(capsys, *words: str, code: int) -> str:
    assert main(list(words)) == code
    told = capsys.readouterr()
    assert told.out == ""
    return told.err


def artifact_id(capsys, kind: str) -> str:
    records = json.loads(read(capsys, "artifacts", "--type", kind, "--json"))
    return str(records[0]["id"])


def test_an_artifact_and_a_run_are_written_as_pages(a_run, capsys):
    number = artifact_id(capsys, "Integer")
    assert (
        read(capsys, "open", number, "-o", "pages/one.html", "--no-browser") == "pages/one.html\n"
    )
    page = Path("pages/one.html").read_text("utf-8")
    assert f"Integer {number} of CountWords" in page
    assert "penstock open a-first" in page
    assert "Made from" in page
    read(capsys, "open", "latest", "-o", "run.html", "--no-browser")
    page = Path("run.html").read_text("utf-8")
    assert "Run of words" in page
    assert "<svg" in page
    assert "first run" in page or "it never ran" in page or "complete" in page


def test_an_alias_a_number_and_the_beginning_of_a_run_are_names(a_run, capsys):
    number = artifact_id(capsys, "Integer")
    read(capsys, "artifacts", number, "--alias", "production")
    told = json.loads(read(capsys, "open", "production", "-o", "p.html", "--json"))
    assert told == {"artifact": int(number), "type": "Integer", "page": "p.html"}
    assert "production" in Path("p.html").read_text("utf-8")
    told = json.loads(read(capsys, "open", "a-f", "-o", "r.html", "--json"))
    assert told == {"run_id": "a-first", "page": "r.html"}


def test_a_number_is_the_beginning_of_a_run_if_no_artifact_has_it(project, capsys):
    run("pipelines/words.py", "--run-id", "20261121-0930")
    capsys.readouterr()
    told = json.loads(read(capsys, "open", "20261121", "-o", "r.html", "--json"))
    assert told["run_id"] == "20261121-0930"


def test_by_default_the_page_is_a_temporary_file(a_run, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = read(capsys, "open", "latest", "--no-browser").strip()
    assert Path(path).name.startswith("penstock-run-a-first-")
    assert Path(path).read_text("utf-8").startswith("<!doctype html>")


def test_the_browser_is_opened(a_run, tmp_path):
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    script.chmod(0o755)
    words = [sys.executable, "-m", "penstock", "open", "latest", "-o", "run.html"]
    environment = {**os.environ, "BROWSER": f"{script} %s"}
    subprocess.run(words, env=environment, check=True, capture_output=True)
    assert (tmp_path / "opened").read_text().strip() == Path("run.html").absolute().as_uri()


def test_what_is_not_there_is_not_found(a_run, capsys):
    read(capsys, "artifacts", "1", "--alias", "production")
    assert "There is no artifact 999" in refused(capsys, "open", "999", code=3)
    assert "The newest is 3" in refused(capsys, "open", "9" * 30, code=3)
    assert "Did you mean 'production'" in refused(capsys, "open", "producton", code=3)
    assert "Did you mean 'a-first'" in refused(capsys, "open", "a-fist", code=3)
    assert "Did you mean 'production'" in refused(capsys, "head", "producton", code=3)
    assert "It names a run" in refused(capsys, "head", "a-f", code=3)


def test_deleted_and_missing_artifacts_are_told(a_run, capsys):
    with MetadataStore.open(".penstock/metadata.db") as store:
        artifact = store.get_artifact(2).artifact
        store.mark_deleted([1])
    Path(artifact.uri).unlink()
    for verb in ("open", "head"):
        assert "String 1 was deleted" in refused(capsys, verb, "1", code=3)
        assert "the files of Integer 2 are missing" in refused(capsys, verb, "2", code=3)


def test_a_damaged_file_is_named(a_run, capsys):
    with MetadataStore.open(".penstock/metadata.db", read_only=True) as store:
        artifact = store.get_artifact(2).artifact
    path = Path(artifact.uri)
    path.write_text("many")
    assert f"{path} is damaged" in refused(capsys, "open", "2", "--no-browser", code=4)


def test_a_type_of_ones_own_shows_its_page(project, capsys):
    Path("components/glossary.py").write_text(OWN_TYPE, "utf-8")
    Path("pipelines/glossary.py").write_text(OWN_PIPELINE, "utf-8")
    run("pipelines/glossary.py")
    capsys.readouterr()
    # Another process: nothing has imported the type.
    words = [sys.executable, "-m", "penstock", "open", "1", "-o", "g.html", "--json"]
    told = subprocess.run(words, check=True, capture_output=True, text=True)
    assert json.loads(told.stdout)["type"] == "Glossary"
    assert told.stderr == "imported\n"
    assert "<h2>Terms</h2>" in Path("g.html").read_text("utf-8")
    Path("components/glossary.py").unlink()
    subprocess.run(words, check=True, capture_output=True)
    page = Path("g.html").read_text("utf-8")
    assert "Its class components.glossary:Glossary cannot be imported" in page
    assert "beta" in page


def test_head_refuses_what_has_no_rows(a_run, capsys):
    told = refused(capsys, "head", "2", code=2)
    assert told == ("penstock head: Integer 2 has no rows. `penstock open 2` shows the value.\n")


def test_head_prints_rows(examples, capsys):
    lines = read(capsys, "head", str(examples), "--rows", "2", "--columns", "species").splitlines()
    assert lines[0] == "train: 2 rows"
    assert lines[1] == "species"
    assert lines[5] == "eval: 2 rows"
    found = json.loads(read(capsys, "head", str(examples), "--split", "eval", "--json"))
    assert [each["name"] for each in found] == ["eval"]
    assert len(found[0]["rows"]) == 10


def test_head_of_cut_examples_is_told(examples, capsys):
    for path in Path("examples/Split-eval").iterdir():
        path.write_bytes(path.read_bytes()[:1000])
    assert "Split-eval" in refused(capsys, "head", str(examples), "--rows", "99", code=4)


def test_a_page_of_a_run_imports_nothing_heavy(a_run):
    code = (
        "import sys; from penstock.cli import main;"
        "main(['open', 'latest', '-o', 'r.html', '--no-browser']);"
        "heavy = {'rich', 'tensorflow', 'apache_beam', 'numpy', 'pyarrow'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_head_names_the_nearest(examples, capsys):
    told = refused(capsys, "head", str(examples), "--split", "trian", code=3)
    assert "Did you mean 'train'" in told
    told = refused(capsys, "head", str(examples), "--columns", "specis", code=3)
    assert "Did you mean 'species'" in told
    assert "takes names" in refused(capsys, "head", str(examples), "--columns", ",", code=2)
