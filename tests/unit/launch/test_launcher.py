from __future__ import annotations

import os
import shutil
from types import SimpleNamespace

import pytest

from penstock.dsl import Pipeline
from penstock.graph import compile_pipeline
from penstock.launch.attempt import Attempt, RunSettings
from penstock.launch.digest_memo import DigestMemo
from penstock.launch.execution import execute
from penstock.launch.launcher import Ended, Launcher, NotStarted
from penstock.store import MetadataStore, RunRecord


@pytest.fixture
def launch(tmp_path, sample_project):
    """Make launchers of runs on one store."""
    count = 0
    store = MetadataStore.open(tmp_path / "metadata.db")

    def make(*nodes, **settings):
        nonlocal count
        count += 1
        graph = compile_pipeline(Pipeline("p", components=list(nodes)))
        run = RunSettings(f"r{count}", "p", str(tmp_path / "root"), sample_project)
        store.create_run(RunRecord(run.run_id, "p", float(count)))
        launcher = Launcher(store, graph, run, DigestMemo(), **settings)
        return SimpleNamespace(launcher=launcher, graph=graph, store=store, root=run.pipeline_root)

    with store:
        yield make


def complete(it, name: str) -> Attempt:
    attempt = it.launcher.begin(it.graph[name])
    assert isinstance(attempt, Attempt)
    result = execute(attempt)
    assert result.error is None, result.traceback
    it.launcher.publish(attempt, result)
    return attempt


def test_a_node_runs_once_and_is_cached_then(launch, nodes) -> None:
    first = launch(nodes.number(value=3))
    attempt = complete(first, "number")
    assert attempt.number == 1
    second = launch(nodes.number(value=3))
    ended = second.launcher.begin(second.graph["number"])
    assert isinstance(ended, Ended)
    assert ended.state == "CACHED"
    assert ended.outputs["result"][0].value == 3
    record = second.store.get_execution(ended.execution_id)
    assert record.cached_from == attempt.execution_id


def test_a_hit_needs_its_artifacts(launch, nodes) -> None:
    first = launch(nodes.number(value=3))
    attempt = complete(first, "number")
    shutil.rmtree(os.path.dirname(attempt.outputs["result"].uri))
    second = launch(nodes.number(value=3))
    assert isinstance(second.launcher.begin(second.graph["number"]), Attempt)


@pytest.mark.parametrize("off", ["run", "node"])
def test_the_cache_can_be_off(launch, nodes, off) -> None:
    def node():
        made = nodes.number(value=3)
        return made.with_policy(cache=False) if off == "node" else made

    complete(launch(node()), "number")
    second = launch(node(), cache=off != "run")
    again = second.launcher.begin(second.graph["number"])
    assert isinstance(again, Attempt)
    assert second.launcher.why_it_runs(again) == "cache off"


def test_why_it_runs(launch, nodes) -> None:
    first = launch(nodes.number(value=3))
    assert first.launcher.is_cold
    attempt = first.launcher.begin(first.graph["number"])
    assert first.launcher.why_it_runs(attempt) == "first run"
    first.launcher.publish(attempt, execute(attempt))
    second = launch(nodes.number(value=4))
    assert not second.launcher.is_cold
    again = second.launcher.begin(second.graph["number"])
    assert second.launcher.why_it_runs(again) == "parameter value changed: 3 -> 4"


def test_a_folder_in_the_way_is_moved_aside(launch, nodes) -> None:
    it = launch(nodes.number(value=3))
    os.makedirs(f"{it.root}/number/result/1")
    with open(f"{it.root}/number/result/1/old", "w") as file:
        file.write("kept")
    attempt = complete(it, "number")
    assert os.listdir(f"{it.root}/number/result/{attempt.execution_id}") == ["value"]
    (aside,) = os.listdir(f"{it.root}/.aside")
    assert aside.startswith("number-result-1-")
    assert os.listdir(f"{it.root}/.aside/{aside}") == ["old"]


def test_a_failure_removes_what_was_written(launch, nodes) -> None:
    it = launch(nodes.number(value=3))
    attempt = it.launcher.begin(it.graph["number"])
    os.makedirs(f"{it.root}/number/result/1")
    os.makedirs(attempt.working_dir)
    it.launcher.fail(attempt, "killed by SIGKILL (out of memory?)")
    assert not os.path.exists(f"{it.root}/number/result/1")
    assert not os.path.exists(attempt.working_dir)
    with open(attempt.log_path) as log:
        assert log.read() == "penstock: killed by SIGKILL (out of memory?)\n"
    record = it.store.get_execution(attempt.execution_id)
    assert (record.state.name, record.error) == ("FAILED", "killed by SIGKILL (out of memory?)")


def test_a_retry_has_folders_of_its_own(launch, nodes) -> None:
    it = launch(nodes.number(value=3))
    first = it.launcher.begin(it.graph["number"])
    it.launcher.fail(first, "no")
    second = it.launcher.retry(first)
    assert second.number == 2
    assert second.outputs["result"].uri != first.outputs["result"].uri
    assert second.log_path != first.log_path


def test_a_node_outside_the_graph_gives_its_latest_outputs(launch, nodes) -> None:
    x = nodes.number(value=3)
    total = nodes.add(a=x, b=x)
    complete(launch(x), "number")
    complete(launch(nodes.number(value=4)), "number")
    pipeline = Pipeline("p", components=[x, total]).only("add")
    graph = compile_pipeline(pipeline)
    latest = launch(x)
    latest.launcher._graph = graph
    attempt = latest.launcher.begin(graph["add"])
    assert attempt.inputs["a"][0].value == 4
    earlier = launch(x, base_run="r1")
    earlier.launcher._graph = graph
    attempt = earlier.launcher.begin(graph["add"])
    assert attempt.inputs["a"][0].value == 3


def test_an_input_that_is_nowhere(launch, nodes) -> None:
    x = nodes.number(value=3)
    total = nodes.add(a=x, b=x)
    graph = compile_pipeline(Pipeline("p", components=[x, total]).only("add"))
    it = launch(x)
    sizes = nodes.reads_size(artifact=nodes.writes_file(size=1))
    graph = compile_pipeline(
        Pipeline("p", components=[sizes.upstream_nodes[0], sizes]).only("reads_size")
    )
    with pytest.raises(NotStarted) as caught:
        it.launcher.begin(graph["reads_size"])
    assert str(caught.value) == (
        "reads_size needs an artifact for 'artifact'; writes_file.out gave none. Run what produces "
        "it first."
    )
    assert caught.value.traceback == ""
    record = it.store.get_execution(caught.value.execution_id)
    assert (record.state.name, record.error) == ("FAILED", str(caught.value))
