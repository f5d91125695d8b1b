from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from penstock.checks.finding import CheckFailed
from penstock.dsl import Importer, Pipeline, Resolver, RuntimeParameter
from penstock.dsl.resolver import LatestArtifacts
from penstock.runners.local import LocalDagRunner
from penstock.runners.result import NodeState, RunFailed
from penstock.store import LeaseHeld, MetadataStore, RecordNotFound, RunState

BOTH = pytest.mark.parametrize("in_process", [True, False], ids=["in-process", "workers"])


class Bench:
    """A store and a root, and runs on them."""

    def __init__(self, folder: Path, project: str) -> None:
        self.folder = folder
        self.project = project
        self.store = str(folder / "store" / "metadata.db")
        self.root = str(folder / "root")

    def pipeline(self, *nodes, name: str = "bench") -> Pipeline:
        return Pipeline(name, pipeline_root=self.root, components=list(nodes))

    def runner(self, **settings) -> LocalDagRunner:
        return LocalDagRunner(
            **{"store": self.store, "progress": "none", "max_parallel": 2, **settings}
        )

    def run(self, *nodes, in_process: bool = True, **settings):
        runner = self.runner(in_process=in_process)
        return runner.run(self.pipeline(*nodes), project_root=self.project, **settings)

    def failed(self, *nodes, **settings):
        with pytest.raises(RunFailed) as caught:
            self.run(*nodes, **settings)
        return caught.value.result

    def open(self) -> MetadataStore:
        return MetadataStore.open(self.store)


@pytest.fixture
def bench(tmp_path, project) -> Bench:
    return Bench(tmp_path, project)


def states(result) -> dict[str, str]:
    return {node.id: node.state.value for node in result.nodes.values()}


@BOTH
def test_a_pipeline_runs_and_is_cached(bench, nodes, in_process) -> None:
    x, y = nodes.number(value=2).with_id("x"), nodes.number(value=3).with_id("y")
    total = nodes.add(a=x, b=y)
    first = bench.run(x, y, total, in_process=in_process)
    assert states(first) == {"x": "COMPLETE", "y": "COMPLETE", "add": "COMPLETE"}
    assert first.artifact("add", "result").value == 5
    second = bench.run(x, y, total, in_process=in_process)
    assert states(second) == {"x": "CACHED", "y": "CACHED", "add": "CACHED"}
    assert second.artifact("add", "result").uri == first.artifact("add", "result").uri
    third = bench.run(x, y, total, in_process=in_process, cache=False)
    assert states(third) == {"x": "COMPLETE", "y": "COMPLETE", "add": "COMPLETE"}


def test_a_cached_run_starts_no_process(bench, nodes, monkeypatch) -> None:
    bench.run(nodes.number(value=2), in_process=False)
    monkeypatch.setattr("penstock.runners.local.worker_pool.WorkerProcess", None)
    assert states(bench.run(nodes.number(value=2), in_process=False)) == {"number": "CACHED"}


def test_runtime_parameters(bench, nodes) -> None:
    node = nodes.number(value=RuntimeParameter("n", int, default=1))
    assert bench.run(node).artifact("number", "result").value == 1
    assert bench.run(node, parameters={"n": 8}).artifact("number", "result").value == 8
    with bench.open() as store:
        assert [run.parameters for run in store.list_runs()] == [{"n": 8}, {"n": 1}]


@BOTH
def test_a_failure_skips_what_depends_on_it_and_nothing_else(bench, nodes, in_process) -> None:
    good, bad = nodes.number(value=2), nodes.raises()
    after = nodes.add(a=bad, b=good).with_id("after")
    later = nodes.process(a=after).with_id("later")
    beside = nodes.process(a=good).with_id("beside")
    result = bench.failed(bad, good, after, later, beside, in_process=in_process)
    assert result.state == "FAILED"
    assert states(result) == {
        "raises": "FAILED",
        "number": "COMPLETE",
        "after": "SKIPPED",
        "later": "SKIPPED",
        "beside": "COMPLETE",
    }
    assert result["raises"].error == "ValueError: no such luck"
    assert "raise ValueError" in result["raises"].traceback
    assert "raise ValueError" in Path(result["raises"].log_path).read_text()
    assert not os.path.exists(f"{bench.root}/raises/result/{result['raises'].execution_id}")
    with bench.open() as store:
        assert store.get_run(result.run_id).state is RunState.FAILED
        assert store.get_run(result.run_id).error == "raises: ValueError: no such luck"
        assert store.get_execution(result["raises"].execution_id).error == (
            "ValueError: no such luck"
        )


def test_the_message_of_a_failed_run(bench, nodes) -> None:
    with pytest.raises(RunFailed) as caught:
        bench.run(nodes.raises(), run_id="r1")
    lines = str(caught.value).splitlines()
    assert lines[:2] == [
        "raises failed: ValueError: no such luck",
        "Traceback (most recent call last):",
    ]
    assert lines[-3:] == [
        f"  log: {bench.root}/raises/.system/executor_execution/1/log.txt",
        "run r1 ended FAILED",
        f"resume it: penstock resume r1 --store {bench.store}",
    ]


@BOTH
def test_retries(bench, nodes, tmp_path, in_process) -> None:
    node = nodes.fails_before(path=str(tmp_path / "tries"), times=2)
    node = node.with_policy(retries=2, backoff_seconds=0.01)
    result = bench.run(node, in_process=in_process)
    assert result["fails_before"].attempts == 3
    assert result["fails_before"].error is None
    assert result.artifact("fails_before", "result").value == 3
    with bench.open() as store:
        attempts = store.run_executions(result.run_id)
        assert [(each.attempt, each.state.name, each.error) for each in attempts] == [
            (1, "FAILED", "RuntimeError: failure 1"),
            (2, "FAILED", "RuntimeError: failure 2"),
            (3, "COMPLETE", None),
        ]
    assert os.listdir(f"{bench.root}/fails_before/result") == ["3"]


def test_success_optional(bench, nodes) -> None:
    bad = nodes.raises().with_policy(success_optional=True)
    after = nodes.number(value=1).with_id("after")
    after.add_upstream_node(bad)
    result = bench.failed(bad, after)
    assert states(result) == {"raises": "FAILED", "after": "COMPLETE"}


@BOTH
def test_what_failed_gives_nothing_of_an_earlier_run(bench, nodes, tmp_path, in_process) -> None:
    switch = tmp_path / "fails"
    fragile = nodes.fails_if_there(path=str(switch)).with_policy(success_optional=True, cache=False)
    reader = nodes.given_or_default(given=fragile.outputs["result"])
    first = bench.run(fragile, reader, in_process=in_process)
    assert first.artifact("given_or_default", "result").value == 5
    switch.touch()
    second = bench.failed(fragile, reader, in_process=in_process)
    assert states(second) == {"fails_if_there": "FAILED", "given_or_default": "COMPLETE"}
    assert second.artifact("given_or_default", "result").value == -1


def test_an_output_that_is_missing_is_a_failure(bench, nodes) -> None:
    result = bench.failed(nodes.writes_nothing(a=1))
    assert "ended without writing its output 'out'" in result["writes_nothing"].error


def test_a_missing_file_is_recorded(bench, nodes) -> None:
    importer = Importer(source_uri="nowhere/at/all", artifact_type=nodes.Artifact).with_id("data")
    importer.add_upstream_node(first := nodes.add(a=1, b=2))  # It may write the file.
    result = bench.failed(first, importer, nodes.reads_size(artifact=importer.outputs["result"]))
    assert states(result) == {"add": "COMPLETE", "data": "FAILED", "reads_size": "SKIPPED"}
    assert "there is nothing at 'nowhere/at/all'" in result["data"].error
    with bench.open() as store:
        _, execution = store.run_executions(result.run_id)
        assert (execution.node_id, execution.state.name) == ("data", "FAILED")
        assert "nowhere/at/all" in execution.error


def test_what_can_be_known_before_is_told_before(bench, nodes) -> None:
    importer = Importer(source_uri="nowhere/at/all", artifact_type=nodes.Artifact).with_id("data")
    with pytest.raises(
        CheckFailed, match=r"test_runner.py:\d+: data\(source_uri=.*there is nothing"
    ):
        bench.run(importer, nodes.reads_size(artifact=importer.outputs["result"]))
    with pytest.raises(CheckFailed, match="pipeline 'bench' has no components"):
        bench.run()
    assert not Path(bench.store).exists()


def test_importer_and_resolver(bench, nodes) -> None:
    folder = bench.folder / "data"
    folder.mkdir()
    (folder / "data").write_bytes(b"12345")
    importer = Importer(source_uri=str(folder), artifact_type=nodes.Artifact).with_id("data")
    size = nodes.reads_size(artifact=importer.outputs["result"])
    first = bench.run(importer, size)
    assert first.artifact("reads_size", "result").value == 5
    assert states(bench.run(importer, size)) == {"data": "CACHED", "reads_size": "CACHED"}
    resolver = Resolver(LatestArtifacts(), result=nodes.Integer).with_id("latest")
    found = bench.run(resolver)
    assert found.artifact("latest", "result").id == first.artifact("reads_size", "result").id
    other = Resolver(LatestArtifacts(pipeline="bench"), result=nodes.Integer).with_id("other")
    own = Resolver(LatestArtifacts(), result=nodes.Integer).with_id("own")
    elsewhere = bench.runner(in_process=True).run(
        Pipeline("elsewhere", components=[other, own]), project_root=bench.project
    )
    assert elsewhere.artifact("other", "result").id == found.artifact("latest", "result").id
    assert elsewhere["own"].outputs.get("result", []) == []
    (folder / "data").write_bytes(b"123456")
    again = bench.run(importer, size)
    assert states(again) == {"data": "COMPLETE", "reads_size": "COMPLETE"}
    assert again.artifact("reads_size", "result").value == 6


@BOTH
def test_resume_runs_what_is_missing(bench, nodes, tmp_path, in_process) -> None:
    first = nodes.process(a=1).with_id("first")
    flaky = nodes.fails_before(path=str(tmp_path / "tries"), times=1)
    flaky.add_upstream_node(first)
    after = nodes.add(a=first, b=flaky)
    failed = bench.failed(first, flaky, after, in_process=in_process, run_id="r1", cache=False)
    pid = failed.artifact("first", "result").value
    result = bench.runner(in_process=in_process).resume("r1", project_root=bench.project)
    assert result.run_id == "r1"
    assert states(result) == {"first": "COMPLETE", "fails_before": "COMPLETE", "add": "COMPLETE"}
    assert result["first"].execution_id == failed["first"].execution_id
    assert result.artifact("add", "result").value == pid + 2
    with bench.open() as store:
        assert [each.node_id for each in store.run_executions("r1")] == [
            "first", "fails_before", "fails_before", "add",
        ]  # fmt: skip
        assert store.get_run("r1").state is RunState.COMPLETE
        assert store.get_run("r1").error is None


def test_resume_of_a_complete_run_does_nothing(bench, nodes) -> None:
    done = bench.run(nodes.number(value=4), run_id="r1")
    again = bench.runner().resume("r1")
    assert again["number"].execution_id == done["number"].execution_id
    assert again["number"].kept
    assert again.artifact("number", "result").value == 4


def test_resume_runs_again_what_was_changed_or_removed(bench, nodes) -> None:
    x, y = nodes.number(value=4).with_id("x"), nodes.number(value=5).with_id("y")
    bad = nodes.raises(a=nodes.add(a=x, b=y))
    total = bad.upstream_nodes[0]
    failed = bench.failed(x, y, total, bad, run_id="r1")
    Path(failed.artifact("x", "result").uri).write_text("400")
    with pytest.raises(RunFailed) as caught:
        bench.runner(in_process=True).resume("r1", project_root=bench.project)
    result = caught.value.result
    assert result["x"].execution_id > failed["raises"].execution_id
    assert result["y"].execution_id == failed["y"].execution_id
    assert result["add"].execution_id > failed["raises"].execution_id
    assert result.artifact("add", "result").value == 9


def test_resume_keeps_parameters_and_seed(bench, nodes, tmp_path) -> None:
    node = nodes.number(value=RuntimeParameter("n", int, default=1))
    flaky = nodes.fails_before(path=str(tmp_path / "tries"), times=1)
    flaky.add_upstream_node(node)
    after = nodes.add(a=node, b=flaky)
    bench.failed(node, flaky, after, parameters={"n": 40}, seed=7, run_id="r1")
    result = bench.runner(in_process=True).resume("r1", project_root=bench.project)
    assert result.artifact("add", "result").value == 42
    with bench.open() as store:
        assert (store.get_run("r1").seed, store.get_run("r1").parameters) == (7, {"n": 40})


def test_resume_of_no_run(bench, nodes) -> None:
    bench.run(nodes.number(value=1))
    with pytest.raises(RecordNotFound, match="There is no run 'r9'"):
        bench.runner().resume("r9")


def test_a_run_that_is_running_cannot_be_resumed(bench, nodes) -> None:
    bench.run(nodes.number(value=1), run_id="r1")
    with bench.open() as store, store.acquire_lease("r1"):
        with pytest.raises(LeaseHeld, match="belongs to another live process"):
            bench.runner().resume("r1")


def test_penstock_stop(bench, nodes, machine) -> None:
    started = bench.folder / "started"

    def stop() -> None:
        machine.wait_until(started.exists)
        with bench.open() as store:
            store.request_stop("r1")

    asking = threading.Thread(target=stop)
    asking.start()
    slow = nodes.sleeps(seconds=60.0, started=str(started))
    after = nodes.process(a=slow)
    began = time.monotonic()
    result = bench.failed(slow, after, in_process=False, run_id="r1")
    asking.join()
    assert time.monotonic() - began < 20
    assert result.state == "CANCELED"
    assert states(result) == {"sleeps": "CANCELED", "process": "CANCELED"}
    assert result.error == "stopped by `penstock stop`"
    with bench.open() as store:
        assert store.get_run("r1").state is RunState.CANCELED
        assert [each.state.name for each in store.run_executions("r1")] == ["CANCELED"]


SCRIPT = """
import sys
sys.path.insert(0, {project!r})
import sample_nodes as nodes
from penstock.dsl import Pipeline
from penstock.runners.local import LocalDagRunner
from penstock.runners.result import RunFailed

good = nodes.number(value=1)
slow = nodes.{slow}
slow.add_upstream_node(good)
pipeline = Pipeline("bench", pipeline_root={root!r}, components=[good, slow, nodes.process(a=slow)])
runner = LocalDagRunner(store={store!r}, progress="plain", max_parallel=2, in_process={in_process})
try:
    runner.run(pipeline, project_root={project!r}, run_id="r1")
except RunFailed as failed:
    print(failed)
    sys.exit(7)
"""


@BOTH
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_cleanly(bench, nodes, machine, in_process, number) -> None:
    started = bench.folder / "started"
    slow = f"sleeps(seconds=60.0, started={str(started)!r})"
    script = SCRIPT.format(**vars(bench), slow=slow, in_process=in_process)
    runner = machine.start(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert machine.wait_until(started.exists)
    runner.send_signal(number)
    out, err = runner.communicate(timeout=30)
    assert runner.returncode == 7, err
    why = "interrupted (Ctrl-C)" if number == signal.SIGINT else "terminated (SIGTERM)"
    assert out.splitlines()[-2:] == [
        f"run r1 ended CANCELED: {why}",
        f"resume it: penstock resume r1 --store {bench.store}",
    ]
    assert f"sleeps canceled: {why}" in err
    with bench.open() as store:
        assert [each.state.name for each in store.run_executions("r1")] == ["COMPLETE", "CANCELED"]
    assert os.listdir(f"{bench.root}/sleeps/result") == []


@pytest.mark.parametrize("number", [signal.SIGKILL])
def test_a_killed_run_is_taken_over(bench, nodes, machine, number) -> None:
    marker = "73072.1"
    slow = f"leaves_children(marker={marker!r}, wait=60.0)"
    script = SCRIPT.format(**vars(bench), slow=slow, in_process=False)
    runner = machine.start(script, stderr=subprocess.DEVNULL)
    assert machine.wait_until(lambda: len(machine.processes_named(marker)) >= 4)
    runner.send_signal(number)
    runner.wait()
    with bench.open() as store:
        # The lease is free only when no process of the run is left that could write.
        assert machine.wait_until(lambda: not store.is_held("r1"))
        assert machine.processes_named(marker) == []
        assert [each.state.name for each in store.run_executions("r1")] == ["COMPLETE", "RUNNING"]
    # Any later run buries it, and sweeps its folders.
    assert os.path.isdir(f"{bench.root}/leaves_children/result/2")
    bench.run(nodes.number(value=9), run_id="r2")
    assert not os.path.exists(f"{bench.root}/leaves_children/result/2")
    with bench.open() as store:
        run = store.get_run("r1")
        assert run.state is RunState.FAILED
        assert [each.error for each in store.run_executions("r1")] == [None, run.error]
        assert run.error.startswith("killed")


def test_two_runs_at_once(bench, nodes, machine) -> None:
    script = SCRIPT.format(**vars(bench), slow="spins(seconds=0.3)", in_process=False)
    runners = [
        machine.start(script.replace('"r1"', f'"r{number}"'), stderr=subprocess.DEVNULL)
        for number in range(3)
    ]
    assert [runner.wait(timeout=120) for runner in runners] == [0, 0, 0]
    with bench.open() as store:
        for number in range(3):
            found = store.run_executions(f"r{number}")
            assert sorted(str(each.node_id) for each in found) == ["number", "process", "spins"]
            assert {each.state.name for each in found} <= {"COMPLETE", "CACHED"}
        uris = list(store.live_uris())
        assert len(uris) == len(set(uris))
        assert all(os.path.exists(uri) for uri in uris)


def test_a_timeout_in_process_is_said_not_to_be_enforced(bench, nodes, capsys) -> None:
    node = nodes.number(value=1).with_policy(timeout_seconds=5)
    bench.runner(in_process=True, progress="plain").run(
        bench.pipeline(node), project_root=bench.project
    )
    assert "timeouts are not enforced in this process (--in-process): number" in (
        capsys.readouterr().err
    )


def test_resources_are_recorded(bench, nodes) -> None:
    result = bench.run(nodes.spins(seconds=0.2), nodes.writes_file(size=5000), in_process=False)
    with bench.open() as store:
        used = store.get_execution(result["spins"].execution_id).usage
        assert 0.2 <= used.cpu_seconds < 0.6
        assert used.wall_seconds >= 0.2
        assert 5_000_000 < used.peak_rss_bytes < 500_000_000
        written = store.get_execution(result["writes_file"].execution_id).usage
        assert written.bytes_written == 5000
        run = store.get_run(result.run_id)
        assert run.environment["python"] == sys.version.split()[0]
        assert len(run.environment_fingerprint) == 16


def test_wrong_settings() -> None:
    with pytest.raises(ValueError, match="max_parallel must be 1 or more. Received: 0"):
        LocalDagRunner(max_parallel=0)
    with pytest.raises(ValueError, match="progress is 'auto', 'live', 'plain' or 'none'"):
        from penstock.runners.local.progress import make_progress

        make_progress("loud")


def test_the_states_of_nodes() -> None:
    assert NodeState.CACHED.succeeded
    assert NodeState.SKIPPED.ended
    assert not NodeState.RETRYING.ended


def test_artifacts_on_a_file_system_that_is_not_this_machines(bench, nodes, monkeypatch) -> None:
    # fsspec's name for a local disk is as foreign to us as gs:// is.
    import fsspec

    monkeypatch.setenv("FSSPEC_FILE_AUTO_MKDIR", "true")
    monkeypatch.setitem(fsspec.config.conf, "file", {"auto_mkdir": True})
    root = f"local://{bench.folder}/far"
    x = nodes.number(value=2)
    talks = nodes.talks(a=x)
    pipeline = Pipeline("far", pipeline_root=root, components=[x, talks])
    project = bench.folder / "project"
    project.mkdir()
    for file in Path(bench.project).glob("[!.]*.*"):
        (project / file.name).write_bytes(file.read_bytes())
    runner = bench.runner()
    first = runner.run(pipeline, project_root=str(project))
    assert first.artifact("talks", "result").uri == f"{root}/talks/result/2/value"
    assert (bench.folder / "far/talks/result/2/value").read_bytes() == b"2"
    log = Path(first["talks"].log_path)
    assert log.is_relative_to(project / ".penstock" / "far" / "talks")
    assert "a log record" in log.read_text()
    assert states(runner.run(pipeline, project_root=str(project))) == {
        "number": "CACHED",
        "talks": "CACHED",
    }


def test_resume_in_a_fresh_process_finds_the_components(bench, nodes, tmp_path, machine) -> None:
    flaky = nodes.fails_before(path=str(tmp_path / "tries"), times=1)
    bench.failed(flaky, run_id="r1")
    script = (
        "from penstock.runners.local import LocalDagRunner\n"
        f"runner = LocalDagRunner(store={bench.store!r}, progress='none')\n"
        "print(runner.resume('r1').artifact('fails_before', 'result').value)\n"
    )
    resumed = machine.start(script, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert resumed.communicate(timeout=60)[0] == "2\n"


def test_a_progress_whose_reader_is_gone_does_not_end_the_run(bench, nodes, machine) -> None:
    script = SCRIPT.format(**vars(bench), slow="spins(seconds=0.05)", in_process=True)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    runner = machine.start(script, stderr=subprocess.PIPE, env=buffered)
    runner.stderr.close()
    runner.stderr = None
    assert runner.wait(timeout=60) == 0


@pytest.mark.parametrize(("signals", "longest"), [(1, 9.0), (2, 4.0)])
def test_a_component_that_ignores_its_end(bench, nodes, machine, signals, longest) -> None:
    """One Ctrl-C gives it a few seconds, a second one none."""
    started = bench.folder / "started"
    script = SCRIPT.format(
        **vars(bench), slow=f"stubborn(started={str(started)!r})", in_process=False
    )
    runner = machine.start(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert machine.wait_until(started.exists)
    began = time.monotonic()
    for _ in range(signals):
        runner.send_signal(signal.SIGINT)
        time.sleep(0.3)
    out, err = runner.communicate(timeout=30)
    assert time.monotonic() - began < longest
    assert "run r1 ended CANCELED: interrupted (Ctrl-C)" in out, err
    with bench.open() as store:
        assert store.run_states("r1")["stubborn"].state.name == "CANCELED"


def test_resume_binds_parameters_of_what_a_command_line_defined(tmp_path, monkeypatch) -> None:
    code = """
from penstock import LocalDagRunner, Pipeline, RuntimeParameter, component

@component
def one(n: int) -> int:
    import os
    if not os.path.exists("ready"):
        raise ValueError("not yet")
    return n

runner = LocalDagRunner(progress="none")
parameter = RuntimeParameter("n", int, default=4)
runner.run(Pipeline("p", components=[one(n=parameter)]), parameters={"n": 7}, run_id="first")
"""
    code = code.replace('"ready"', repr(str(tmp_path / "ready")))
    monkeypatch.delenv("PENSTOCK_STORE", raising=False)
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "not yet" in ended.stderr
    (tmp_path / "ready").touch()
    monkeypatch.chdir(tmp_path)
    runner = LocalDagRunner(progress="none", store=str(tmp_path / ".penstock" / "metadata.db"))
    result = runner.resume("first", project_root=str(tmp_path))
    assert result.artifact("one", "result").value == 7


def test_a_part_needs_a_base_run_that_has_what_it_reads(bench, nodes) -> None:
    first = nodes.number(value=1)
    pipeline = bench.pipeline(first, nodes.add(a=first, b=first))
    runner = bench.runner(in_process=True)
    with pytest.raises(
        RunFailed, match=r"add needs an artifact for '[ab]'; number.result gave none"
    ):
        runner.run(pipeline.only("add"), project_root=bench.project)
    with pytest.raises(RecordNotFound, match="no run 'x'"):
        runner.run(pipeline.only("add"), project_root=bench.project, base_run="x")
    whole = runner.run(pipeline, project_root=bench.project)
    for name in ("latest", whole.run_id[:-1]):
        part = runner.run(pipeline.only("add"), project_root=bench.project, base_run=name)
        assert states(part) == {"add": "CACHED"}
    other = bench.pipeline(first, name="other").only("number")
    with pytest.raises(RecordNotFound, match="is of pipeline 'bench'"):
        runner.run(other, project_root=bench.project, base_run=whole.run_id)
