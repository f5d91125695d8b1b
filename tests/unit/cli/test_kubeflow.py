"""The verbs of `penstock kubeflow`, as typed, on Kubeflow's stand-in."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("kfp", reason="kfp is not installed")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cluster"))

from kubeflow_api import KubeflowApi
from kubeflow_driver import ProcessContainers

from penstock.cli import main
from penstock.cli.verbs.kubeflow import VERBS

PIPELINE = """
from penstock.artifacts import String
from penstock.dsl import Input, Output, Pipeline, Resources, RuntimeParameter, component
from penstock.runners.kubeflow import KubeflowConfig


@component
def write(text: Output[String], words: str) -> None:
    text.value = words


@component
def read(text: Input[String]) -> None:
    print("read", text.value)
    assert text.value != "bad", "this is bad"


words = RuntimeParameter("words", str, default="good")
writing = write(words=words).with_id("Write")
reading = read(text=writing.outputs["text"]).with_id("Read")
pipeline = Pipeline("small", components=[writing, reading])
config = KubeflowConfig(image="small:from-the-file")
"""


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeflowApi]:
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    (tmp_path / "small_on_kubeflow.py").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    containers = ProcessContainers(tmp_path, tmp_path / "logs")
    with KubeflowApi(tmp_path / "kubeflow", containers) as server:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", server.url)
        yield server
    sys.modules.pop("small_on_kubeflow", None)


def _typed(text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["kubeflow", *text.split()])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_a_user_uploads_runs_looks_and_schedules(
    api: KubeflowApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _typed("status", capsys)[:2] == (0, "no run on this Kubeflow yet\n")
    code, out, err = _typed("upload small_on_kubeflow.py", capsys)
    assert (code, out.startswith("uploaded version small-")) == (0, True), err
    assert _typed("upload small_on_kubeflow.py", capsys)[1].startswith("is there already: version")
    (version,) = api.versions.values()
    assert "small:from-the-file" in json.dumps(version["pipeline_spec"])

    given = f"small_on_kubeflow.py --root {tmp_path}/root"
    code, out, err = _typed(f"run {given} --name mine", capsys)
    assert (code, out) == (0, ""), err
    assert "Read complete in" in err
    # The root is the run's: the version is the same.
    assert len(api.versions) == 1
    code, out, err = _typed(f"run {given} --name mine --detach --json", capsys)
    assert (json.loads(out)["new"], len(api.runs)) == (False, 1)
    assert "run mine was made before" in err
    code, out, err = _typed(f"run {given} --param words=bad", capsys)
    assert code == 1
    assert "this is bad" in err

    code, out, err = _typed("status latest", capsys)
    assert code == 1
    assert re.search(r"^Read +failed", out, re.M), out
    code, out, err = _typed("status", capsys)
    assert [line.split()[2] for line in out.splitlines()[1:]] == ["failed", "complete"]
    assert (
        json.loads(_typed("status mine --json", capsys)[1])["nodes"]["Read"]["state"] == "COMPLETE"
    )
    assert "read good" in _typed("logs mine Read", capsys)[1]
    assert _typed("cancel mine", capsys)[1].endswith("(mine) has ended already: COMPLETE\n")

    code, out, err = _typed(f"schedule {given} --cron @yearly --paused", capsys)
    assert (code, "it is paused" in out) == (0, True), err
    assert _typed("schedules --resume small", capsys)[1] == "schedule small is resumed\n"
    code, out, err = _typed("schedules", capsys)
    assert re.search(r"^small +enabled +0 0 0 1 1 \* +20\d\d-01-01 00:00 UTC +-", out, re.M), out
    code, out, err = _typed(f"schedule {given} --every 6h", capsys)
    assert (code, "Replace it with --replace" in err) == (2, True)
    code, out, err = _typed(f"schedule {given} --every 6h --replace", capsys)
    assert (code, out.startswith("scheduled small-")) == (0, True), err
    assert _typed("unschedule small", capsys)[1] == "schedule small is removed\n"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", 2, ""),
        ("rnu x.py", 2, "unknown verb 'rnu'. Did you mean 'run'?"),
        ("run missing.py", 3, "there is no file 'missing.py'"),
        ("run small_on_kubeflow.py", 2, "has no default. Give where all containers write"),
        ("run small_on_kubeflow.py --root r --param wrods=1", 2, "Did you mean 'words'?"),
        ("upload pyproject.yaml", 3, "there is no file 'pyproject.yaml'"),
        ("upload x.yaml --image y", 2, "--image is for a pipeline file; x.yaml is compiled"),
        ("run small_on_kubeflow.py --store-secret a", 2, "--store-secret takes SECRET/KEY"),
        ("status nothing", 3, "There is no run 'nothing'"),
        ("status --follow", 2, "--follow is for one RUN"),
        ("cancel nothing", 3, "There is no run 'nothing'"),
        ("unschedule nothing", 3, "There is no schedule 'nothing'"),
        ("schedule small_on_kubeflow.py --root r", 2, "a cron expression or an interval"),
        ("schedule small_on_kubeflow.py --every soon", 2, "a time is a number with s, m, h, d"),
        ("schedules --pause a --resume b", 2, "--pause or --resume, not both"),
    ],
)
def test_what_is_typed_wrong(
    api: KubeflowApi, text: str, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _, err = _typed(text, capsys)

    assert (found, message in err) == (code, True), err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _typed(f"{verb} --help", capsys)

    assert code == 0
    assert out.startswith(f"usage: penstock kubeflow {verb}")
    assert f"penstock kubeflow {verb}" in out[out.index("examples:") :]
