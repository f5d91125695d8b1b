from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fsspec
import pytest

from penstock.artifacts import Model, location
from penstock.dsl import ExecutionContext, Output, Pipeline, component
from penstock.graph import GraphNode, compile_pipeline
from penstock.runners.kubeflow.container import entrypoint, termination
from penstock.runners.kubeflow.container.artifact_reference import ArtifactReference
from penstock.runners.kubeflow.container.entrypoint import main
from penstock.runners.kubeflow.container.task import ContainerTask
from penstock.store import ExecutionState, MetadataStore, RunState, StoreError
from penstock.testing import runner_pipelines


@pytest.fixture(autouse=True)
def _no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[tool.penstock]\n")
    return folder


def _task(pipeline: Pipeline, node: str, **constants: Any) -> str:
    graph = compile_pipeline(pipeline)
    return ContainerTask.of(graph, graph[node], **constants).to_text()


def _executor_input(
    folder: Path, node: GraphNode, parameters: Mapping[str, Any], inputs: Mapping[str, Path]
) -> dict[str, Any]:
    """Return what Kubeflow's driver sends, its object store being a folder."""
    return {
        "inputs": {
            "parameterValues": dict(parameters),
            "artifacts": {
                name: {"artifacts": [{"name": name, "uri": str(path)}]}
                for name, path in inputs.items()
            },
        },
        "outputs": {
            "artifacts": {
                key: {"artifacts": [{"name": f"123/{key}", "uri": str(folder / key)}]}
                for key in node.outputs
            },
            "outputFile": str(folder / "executor_output.json"),
        },
    }


def _call(
    pipeline: Pipeline,
    node: str,
    folder: Path,
    project: Path,
    parameters: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Path] | None = None,
    root: str | None = None,
) -> list[str]:
    graph = compile_pipeline(pipeline)
    given = {"pipeline-root": root or str(folder / "root"), **(parameters or {})}
    message = _executor_input(folder, graph[node], given, inputs or {})
    return [
        "--executor-input", json.dumps(message),
        "--task", _task(pipeline, node, recorded="run-id" in given),
        "--project-root", str(project),
    ]  # fmt: skip


def test_a_node_writes_references_and_the_executor_output(tmp_path: Path, project: Path) -> None:
    arguments = _call(runner_pipelines.values(), "write_examples", tmp_path, project)
    assert main(arguments) == 0
    reference = ArtifactReference.read(str(tmp_path / "examples"))
    (examples,) = reference.artifacts
    assert examples.properties["split_names"] == '["train", "eval"]'
    assert examples.fingerprint
    assert Path(examples.uri).parent == tmp_path / "root" / "write_examples" / "examples"
    shown = json.loads((tmp_path / "executor_output.json").read_text())["artifacts"]["examples"]
    (artifact,) = shown["artifacts"]
    assert artifact["name"] == "123/examples"
    assert artifact["uri"] == str(tmp_path / "examples")
    assert artifact["metadata"]["type"] == "Examples"
    assert artifact["metadata"]["uri"] == examples.uri
    assert artifact["metadata"]["fingerprint"] == examples.fingerprint
    assert artifact["metadata"]["property_span"] == 3


def test_the_executor_input_may_lie_in_a_file(tmp_path: Path, project: Path) -> None:
    arguments = _call(runner_pipelines.values(), "write_examples", tmp_path, project)
    file = tmp_path / "executor_input.json"
    file.write_text(arguments[1])
    assert main([arguments[0], str(file), *arguments[2:]]) == 0
    assert (tmp_path / "examples").exists()


def test_whole_numbers_may_come_as_floats(tmp_path: Path, project: Path) -> None:
    arguments = _call(
        runner_pipelines.values(), "write_examples", tmp_path, project, {"parameter-rows": 3.0}
    )
    assert main(arguments) == 0
    (rows,) = ArtifactReference.read(str(tmp_path / "result")).artifacts
    assert Path(rows.uri).read_text() == "6"


def test_lineage_passes_from_container_to_container(tmp_path: Path, project: Path) -> None:
    first = tmp_path / "first"
    pipeline = runner_pipelines.values()
    assert main(_call(pipeline, "write_examples", first, project)) == 0
    inputs = {"examples": first / "examples", "rows": first / "result"}
    assert main(_call(pipeline, "summarize", tmp_path, project, inputs=inputs)) == 0
    lineage = ArtifactReference.read(str(tmp_path / "total")).lineage
    assert set(lineage) == {"write_examples", "summarize"}
    assert lineage["summarize"]["upstream"] == ["write_examples"]
    (examples,) = lineage["write_examples"]["outputs"]["examples"]
    assert examples["fingerprint"]


def test_a_failure_is_the_exit_code_and_the_user_s_traceback(
    tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = runner_pipelines.failing()
    first = tmp_path / "first"
    assert main(_call(pipeline, "write_words", first, project)) == 0
    inputs = {"words": first / "words"}
    assert main(_call(pipeline, "fail", tmp_path, project, inputs=inputs)) == 1
    said = capsys.readouterr().err
    assert "raise RuntimeError(" in said
    assert said.splitlines()[-1].startswith("fail: RuntimeError: cannot train on")
    assert not (tmp_path / "model").exists()
    assert not (tmp_path / "executor_output.json").exists()
    assert not list((tmp_path / "root").rglob("half"))


@component
def counts(context: ExecutionContext) -> int:
    for done in range(3):
        context.progress(done, 2, "files")
    return 2


def test_how_far_the_node_is_is_in_the_log_now_and_then(
    tmp_path: Path,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = _call(Pipeline("p", components=[counts()]), "counts", tmp_path, project)
    assert main(arguments) == 0
    assert "files" not in capsys.readouterr().err
    monkeypatch.setattr(entrypoint, "_PROGRESS_SECONDS", 0.0)
    assert main(arguments) == 0
    assert "counts: 2 of 2 files\n" in capsys.readouterr().err


@component
def talk(context: ExecutionContext) -> None:
    context.log.info("three of three trees")


def test_what_a_node_logs_is_printed_while_it_runs(
    tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_call(Pipeline("p", components=[talk()]), "talk", tmp_path, project)) == 0
    assert "INFO penstock.node.talk: three of three trees\n" in capsys.readouterr().err


def test_a_missing_input_is_named(
    tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(_call(runner_pipelines.failing(), "use", tmp_path, project)) == 1
    assert "use needs an artifact for 'model'; fail.model gave none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"--executor-input": "/nowhere.json"},
            "or a file that holds it. Received: '/nowhere.json'",
        ),
        ({"--executor-input": "{}"}, "not an ExecutorInput of Kubeflow Pipelines v2"),
        ({"--executor-input": '{"outputs": {"outputFile": "x"}}'}, "has no pipeline_root"),
        ({"--task": "{}"}, "KeyError: 'graph'"),
    ],
)
def test_wrong_use(
    tmp_path: Path,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    said: str,
) -> None:
    arguments = _call(runner_pipelines.values(), "write_examples", tmp_path, project)
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert main([each for pair in {**options, **change}.items() for each in pair]) == 2
    assert said in capsys.readouterr().err


def test_a_damaged_reference_is_named(
    tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "words").write_text("PK")
    inputs = {"words": tmp_path / "words"}
    arguments = _call(runner_pipelines.failing(), "fail", tmp_path, project, inputs=inputs)
    assert main(arguments) == 2
    assert f"{tmp_path / 'words'} is not a reference to an artifact" in capsys.readouterr().err


@component
def write_far(context: ExecutionContext, model: Output[Model]) -> None:
    """Write to wherever the root is."""
    context.log.info("writing far away")
    Path(context.working_dir, "scratch").write_text("")
    location.write_bytes(f"{model.uri}/model", b"far")


def test_a_root_elsewhere_gets_the_log_and_no_scratch(tmp_path: Path, project: Path) -> None:
    pipeline = Pipeline("p", None, [write_far()])
    arguments = _call(pipeline, "write_far", tmp_path, project, root="memory://bucket/root")
    assert main(arguments) == 0
    (model,) = ArtifactReference.read(str(tmp_path / "model")).artifacts
    assert location.read_bytes(f"{model.uri}/model") == b"far"
    assert model.fingerprint == fingerprint_of({"model": b"far"})
    files = fsspec.filesystem("memory").find("/bucket/root")
    (log,) = [name for name in files if name.endswith("log.txt")]
    assert b"writing far away" in location.read_bytes(f"memory:/{log}")
    assert len(files) == 2
    assert not [name for name in os.listdir() if name.startswith("memory")]


def fingerprint_of(files: Mapping[str, bytes]) -> str:
    """Return the fingerprint of a folder, by its definition."""
    parts = [name.encode() + b"\0" + hashlib.sha256(each).digest() for name, each in files.items()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_user_code_comes_from_an_archive(tmp_path: Path, project: Path) -> None:
    """The archive is unpacked, and its modules have the names that they have in the project."""
    (project / "nodes").mkdir()
    (project / "nodes" / "__init__.py").write_text("")
    (project / "nodes" / "words.py").write_text(
        "from penstock.dsl import Pipeline, component\n"
        "from nodes.numbers import two\n"
        "@component\n"
        "def answer() -> int:\n"
        "    return two() * 21\n"
    )
    (project / "nodes" / "numbers.py").write_text("def two() -> int:\n    return 2\n")
    program = (
        "import json, sys\n"
        "from nodes.words import answer\n"
        "from penstock.dsl import Pipeline\n"
        "from penstock.graph import compile_pipeline\n"
        "from penstock.runners.kubeflow.container.task import ContainerTask\n"
        "from penstock.launch.project_archive import upload_project\n"
        "graph = compile_pipeline(Pipeline('p', None, [answer()]))\n"
        "archive = upload_project('.', sys.argv[1])\n"
        "print(ContainerTask.of(graph, graph['answer'], archive=archive).to_text())\n"
    )
    task = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "archives")],
        cwd=project, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    node = ContainerTask.parse(task).node
    message = _executor_input(tmp_path, node, {"pipeline-root": str(tmp_path / "root")}, {})
    command = [sys.executable, "-m", "penstock.launch"]
    command += ["--executor-input", json.dumps(message), "--task", task]
    ended = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (result,) = ArtifactReference.read(str(tmp_path / "result")).artifacts
    assert Path(result.uri).read_text() == "42"


_SLEEPER = """
import pathlib, time
from penstock.artifacts import Model
from penstock.dsl import Output, component

@component
def sleep(model: Output[Model]) -> None:
    pathlib.Path(model.uri, "half").write_text("half")
    pathlib.Path("started").write_text("")
    time.sleep(60)
"""


@pytest.mark.parametrize("recorded", [False, True])
def test_sigterm_removes_what_was_written(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    (project / "sleeping.py").write_text(_SLEEPER)
    monkeypatch.syspath_prepend(str(project))
    from sleeping import sleep  # type: ignore[import-not-found]

    arguments = _call(Pipeline("p", None, [sleep()]), "sleep", tmp_path, project)
    environment = dict(os.environ)
    if recorded:
        environment["PENSTOCK_STORE"] = str(tmp_path / "metadata.db")
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock.launch", *arguments], cwd=project, env=environment
    )
    deadline = time.monotonic() + 30
    while not (project / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 143
    assert not list((tmp_path / "root").rglob("half"))
    if recorded:
        with MetadataStore.open(tmp_path / "metadata.db") as store:
            (execution,) = store.run_executions("kubeflow")
            assert execution.state is ExecutionState.CANCELED


_BUSY = """
import hashlib, pathlib
from penstock.artifacts import Integer
from penstock.dsl import Output, component

@component
def busy(number: Output[Integer]) -> None:
    pathlib.Path("started").write_text("")
    hashlib.pbkdf2_hmac("sha256", b"", b"", 1 << 30)  # minutes, and no signal handler runs meanwhile
"""


def test_a_container_that_has_a_second_left_is_recorded_as_canceled(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "busy_node.py").write_text(_BUSY)
    monkeypatch.syspath_prepend(str(project))
    from busy_node import busy  # type: ignore[import-not-found]

    pipeline = Pipeline("p", None, [busy()])
    arguments = _call(pipeline, "busy", tmp_path, project, {"run-id": "run-7"})
    environment = {**os.environ, "PENSTOCK_STORE": str(tmp_path / "metadata.db")}
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock.launch", *arguments], cwd=project, env=environment
    )
    deadline = time.monotonic() + 60
    while not (project / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    state = None
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        while state is not RunState.CANCELED and time.monotonic() < deadline:
            time.sleep(0.02)
            state = store.get_run("run-7").state
        assert process.poll() is None
        process.kill()
        process.wait()
        (execution,) = store.run_executions("run-7")
    assert (execution.state, execution.error) == (
        ExecutionState.CANCELED,
        "stopped by a signal (SIGTERM)",
    )


def test_kubernetes_is_told_how_a_container_ended(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubeflow's launcher ends with 1, whatever the exit code of its command was."""
    file = tmp_path / "termination-log"
    monkeypatch.setattr(termination, "MESSAGE_FILE", str(file))
    pipeline = runner_pipelines.failing()
    assert main(_call(pipeline, "fail", tmp_path, project)) == 1
    assert not file.exists()  # this is no pod
    monkeypatch.setenv("PENSTOCK_POD_NAME", "p-1")
    assert main(_call(pipeline, "fail", tmp_path, project)) == 1
    assert file.read_text().startswith("exit code 1: fail: InputMissing: fail needs an artifact")
    assert main(["--executor-input", "{}", "--task", "{}"]) == 2
    assert file.read_text().startswith("exit code 2: ExecutorInputError: This is not an Executor")


def test_a_failed_node_turns_its_run_failed(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_STORE", str(tmp_path / "metadata.db"))
    pipeline = runner_pipelines.failing()
    run = {"run-id": "run-7"}
    first = tmp_path / "first"
    root = str(tmp_path / "root")
    assert main(_call(pipeline, "write_words", first, project, run, root=root)) == 0
    inputs = {"words": first / "words"}
    assert main(_call(pipeline, "fail", tmp_path / "fail", project, run, inputs, root)) == 1
    inputs = {"words": first / "words"}
    assert main(_call(pipeline, "join", tmp_path / "join", project, run, inputs, root)) == 0
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        record = store.get_run("run-7")
        assert record.state is RunState.FAILED
        assert (record.error or "").startswith("fail: RuntimeError: cannot train on")
        states = {each.node_id: each.state for each in store.run_executions("run-7")}
    assert states == {
        "write_words": ExecutionState.COMPLETE,
        "fail": ExecutionState.FAILED,
        "join": ExecutionState.COMPLETE,
    }


_FLAKY = """
import pathlib
from penstock.artifacts import Model
from penstock.dsl import Output, component

@component
def flaky(model: Output[Model]) -> None:
    tried = pathlib.Path("tried")
    if not tried.exists():
        tried.write_text("")
        raise RuntimeError("no luck")
    pathlib.Path(model.uri, "weights").write_text("0")
"""


def test_a_retry_is_a_second_attempt_and_its_run_completes(
    tmp_path: Path,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (project / "luck.py").write_text(_FLAKY)
    monkeypatch.syspath_prepend(str(project))
    monkeypatch.chdir(project)
    monkeypatch.setenv("PENSTOCK_STORE", str(tmp_path / "metadata.db"))
    from luck import flaky  # type: ignore[import-not-found]

    pipeline = Pipeline("p", None, [flaky().with_policy(retries=1)])
    arguments = _call(pipeline, "flaky", tmp_path, project, {"run-id": "run-7"})
    assert main(arguments) == 1
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        assert store.get_run("run-7").state is RunState.RUNNING
        assert store.is_held("run-7")
    assert main(arguments) == 0
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        run = store.get_run("run-7")
        assert (run.state, run.error) == (RunState.COMPLETE, None)
        attempts = [(each.attempt, each.state.name) for each in store.run_executions("run-7")]
    assert attempts == [(1, "FAILED"), (2, "COMPLETE")]


def test_a_container_takes_the_place_of_one_that_is_gone(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENSTOCK_STORE", str(tmp_path / "metadata.db"))
    pipeline = runner_pipelines.values()
    run, root = {"run-id": "run-7"}, str(tmp_path / "root")
    arguments = _call(pipeline, "write_examples", tmp_path, project, run, root=root)
    assert main(arguments) == 0
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        # A container whose lease has not expired yet, although its machine is gone.
        store.hold("gone", 60)
        (first,) = store.run_executions("run-7")
        lost = store.register_execution(
            run_id="run-7", node_id="summarize", type_name=first.type_name, lease="gone"
        )
    half = tmp_path / "root" / "summarize" / "names" / str(lost) / "half"
    location.write_bytes(str(half), b"")
    inputs = {"examples": tmp_path / "examples", "rows": tmp_path / "result"}
    arguments = _call(pipeline, "summarize", tmp_path / "second", project, run, inputs, root)
    assert main(arguments) == 0
    assert not half.exists()
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        *_, before, after = store.run_executions("run-7")
        assert (before.state, before.error) == (
            ExecutionState.FAILED,
            "its container is gone; another one took its place",
        )
        assert (after.attempt, after.state) == (2, ExecutionState.COMPLETE)
        with pytest.raises(StoreError, match="cannot be published"):
            store.publish(lost, {})
        assert store.get_run("run-7").state is RunState.COMPLETE


def test_no_node_of_a_run_that_was_stopped_begins(
    tmp_path: Path,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PENSTOCK_STORE", str(tmp_path / "metadata.db"))
    pipeline = runner_pipelines.values()
    arguments = _call(pipeline, "write_examples", tmp_path, project, {"run-id": "run-7"})
    assert main(arguments) == 0
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        store.request_stop("run-7")
    assert main(arguments) == 1
    assert "run run-7 was stopped by `penstock stop`" in capsys.readouterr().err
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        assert store.get_run("run-7").state is RunState.CANCELED
        assert len(store.run_executions("run-7")) == 1


_GATE = """
import pathlib
from penstock.artifacts import Model
from penstock.dsl import Input, Output, Rejected, component

@component
def make(model: Output[Model]) -> None:
    pathlib.Path(model.uri, "weights").write_text("0")

@component(judges=["model"])
def judge(model: Input[Model], found: Output[Model]) -> None:
    pathlib.Path(found.uri, "why").write_text("zero")
    raise Rejected("its weights are zero")
"""


@pytest.mark.parametrize("recorded", [False, True])
def test_what_a_gate_wrote_is_kept_when_it_rejects(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    (project / "gated.py").write_text(_GATE)
    monkeypatch.syspath_prepend(str(project))
    from gated import judge, make  # type: ignore[import-not-found]

    if recorded:
        monkeypatch.setenv("PENSTOCK_STORE", str(tmp_path / "metadata.db"))
    made = make()
    pipeline = Pipeline("p", None, [made, judge(model=made.outputs["model"])])
    run, first, root = {"run-id": "run-7"}, tmp_path / "first", str(tmp_path / "root")
    assert main(_call(pipeline, "make", first, project, run, root=root)) == 0
    inputs = {"model": first / "model"}
    arguments = _call(pipeline, "judge", tmp_path / "second", project, run, inputs, root)
    assert main(arguments) == 1
    (why,) = (tmp_path / "root").rglob("why")
    if recorded:
        with MetadataStore.open(tmp_path / "metadata.db") as store:
            (kept,) = store.rejected_outputs("run-7")["judge"]["found"]
            assert kept.uri == str(why.parent)
            (model,) = store.run_outputs("run-7")["make"]["model"]
            assert [each.node_id for each in store.rejections([model.id])] == ["judge"]
