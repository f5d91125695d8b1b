"""What holds of every file of `pipelines/`: how it is defined, documented, and where it runs.

What one pipeline shows (its scores, its served answers) is in its own test file.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = sorted((REPOSITORY / "pipelines").glob("*.py"))
NAMES = [file.stem for file in FILES]
NEEDED = ("StatisticsGen", "SchemaGen", "ExampleValidator", "Trainer", "Evaluator", "Pusher")
MOST_BYTES_OF_A_PICTURE = 60_000
OF_DATA = 2_200_000

DOCUMENTED_ELSEWHERE = {"penguin": "tutorial.md"}
"""Pages that are not `docs/pipelines/NAME.md`."""
WITHOUT_COMPARISON: dict[str, str] = {}
"""Pipelines that judge their model otherwise, and why."""
NOT_MIRRORED: dict[str, str] = {}
"""Pipelines whose Trainer does not run under mirrored distribution, and why."""


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory) -> dict[str, dict]:
    """What a fresh process found that loaded, checked and compiled all files."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("defined.py")),
         str(tmp_path_factory.mktemp("compiled")), *map(str, FILES)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def components_of(graph: dict) -> dict[str, dict]:
    """Return the nodes by the names of their components' classes; the last one where there are several."""
    return {
        node["component"].rpartition(":")[2]: node
        for node in graph["nodes"]
        if node["kind"] == "component"
    }


def page_of(name: str) -> Path:
    return REPOSITORY / "docs" / DOCUMENTED_ELSEWHERE.get(name, f"pipelines/{name}.md")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_defined_without_what_runs_it_and_nothing_is_wrong_with_it(pipelines, name):
    found = pipelines[name]
    assert found["compiled"] == 0
    assert found["heavy"] == []
    assert found["graph"]["name"] == name
    # It reads module files, and finds their functions and data.
    assert found["check"]["findings"] == []


@pytest.mark.parametrize("name", NAMES)
def test_it_is_whole(pipelines, name):
    """From data to a push that waits for the Evaluator and for the comparison with a baseline."""
    nodes = components_of(pipelines[name]["graph"])
    for needed in NEEDED:
        assert needed in nodes, f"{name} has no {needed}"
    read = nodes["Pusher"]["inputs"]
    assert read.get("model_blessing"), "the Pusher does not wait for the Evaluator"
    if name not in WITHOUT_COMPARISON:
        assert "BaselineComparison" in nodes
        assert read.get("blessings"), "the Pusher does not wait for the comparison"


@pytest.mark.parametrize("name", NAMES)
def test_it_compiles_to_kubeflow_with_the_trainer_on_a_gpu(pipelines, name):
    assert pipelines[name]["kubeflow"] == 0
    accelerated = pipelines[name]["accelerated"]
    assert any("trainer" in executor for executor in accelerated), accelerated
    parameters = pipelines[name]["graph"]["parameters"]
    assert {"accelerator", "distribution"} <= set(parameters)


@pytest.mark.parametrize("name", NAMES)
def test_its_data_are_here_with_their_source_and_licence(pipelines, name):
    text = (REPOSITORY / "data/README.md").read_text()
    folders = {
        value.split("/")[1]
        for node in pipelines[name]["graph"]["nodes"]
        for key, value in node.get("parameters", {}).items()
        if node.get("special", {}).get(key) == "external_path" and str(value).startswith("data/")
    }
    assert folders, f"{name} reads nothing from data/"
    for folder in folders:
        (section,) = re.findall(rf"^## {folder}\b.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        for fact in ("**Source**", "**Licence**", "**Changed by us**"):
            assert fact in section, f"data/README.md does not state {fact} of {folder}"
        files = [path for path in (REPOSITORY / "data" / folder).rglob("*") if path.is_file()]
        assert 0 < sum(path.stat().st_size for path in files) <= OF_DATA


@pytest.mark.parametrize("name", NAMES)
def test_its_page_teaches_it(name):
    """With pictures, how to run it, and how the served model is asked with raw input."""
    page = page_of(name)
    text = page.read_text()
    relative = str(page.relative_to(REPOSITORY / "docs"))
    assert relative in (REPOSITORY / "mkdocs.yml").read_text(), f"{relative} is not in mkdocs.yml"
    if name in DOCUMENTED_ELSEWHERE:
        return
    assert f"pipelines/{name}.py" in text
    assert f"modules/{name}.py" in text or "modules/" in text
    assert "penstock serve" in text
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", text)
    assert shown, "it shows no picture"
    for each in shown:
        picture = (page.parent / each).resolve()
        assert picture.is_relative_to(REPOSITORY / "docs/images")
        assert picture.stat().st_size <= MOST_BYTES_OF_A_PICTURE, each


def test_pictures_are_all_shown():
    text = "".join(page.read_text() for page in (REPOSITORY / "docs").rglob("*.md"))
    folder = REPOSITORY / "docs/images/pipelines"
    assert [path.name for path in folder.glob("*.png") if path.name not in text] == []


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_MIRRORED])
def test_its_trainer_runs_on_two_devices(pipelines, name, tmp_path):
    parameters = pipelines[name]["graph"]["parameters"]
    short = {"train_steps": "20", "epochs": "1", "steps": "20"}
    words = [f"--param={key}={value}" for key, value in short.items() if key in parameters]
    trainers = [
        node["id"]
        for node in pipelines[name]["graph"]["nodes"]
        if node.get("component", "").endswith(":Trainer")
    ]
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(REPOSITORY / "pyproject.toml", project)
    for each in ("pipelines", "modules"):
        shutil.copytree(REPOSITORY / each, project / each)
    (project / "data").symlink_to(REPOSITORY / "data")
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "run", f"pipelines/{name}.py", "--json", "--to", trainers[-1],
         "--param=distribution=mirrored", *words],
        cwd=project, capture_output=True, text=True, timeout=1500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    node = json.loads(done.stdout)["nodes"][trainers[-1]]
    assert (node["state"], node["metrics"]["replicas"]) == ("COMPLETE", 2)
