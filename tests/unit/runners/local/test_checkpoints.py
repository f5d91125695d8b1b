"""What a killed attempt left in its checkpoint folder, found by retries and by `resume`."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.dsl import Pipeline
from penstock.runners.local import LocalDagRunner
from penstock.runners.result import RunFailed
from penstock.store import MetadataStore


class Bench:
    """A store, a root, and a run of one node that goes on from its checkpoints."""

    def __init__(self, folder: Path, project: str) -> None:
        self.project = project
        self.store = str(folder / "metadata.db")
        self.root = str(folder / "root")
        self.checkpoints = folder / "root" / "GoesOn" / ".system" / "checkpoints"

    def run(self, node, **settings):
        pipeline = Pipeline("bench", pipeline_root=self.root, components=[node])
        return self.runner().run(pipeline, project_root=self.project, **settings)

    def runner(self) -> LocalDagRunner:
        return LocalDagRunner(store=self.store, progress="none", max_parallel=1)

    def resumed(self, run_id: str):
        return self.runner().resume(run_id, project_root=self.project)

    def left(self) -> list[str]:
        return sorted(os.listdir(self.checkpoints))

    def log_of(self, execution_id: int) -> str:
        with MetadataStore.open(self.store) as store:
            path = store.get_execution(execution_id).log_path
        return Path(path).read_text() if os.path.exists(path) else ""


@pytest.fixture
def bench(tmp_path, project) -> Bench:
    return Bench(tmp_path, project)


def test_retries_go_on_where_a_killed_attempt_was(bench, nodes) -> None:
    result = bench.run(nodes.GoesOn().with_policy(retries=2, backoff_seconds=0.0))
    assert result["GoesOn"].attempts == 3
    assert result.artifact("GoesOn", "result").value == 4
    assert bench.left() == []


def test_resume_goes_on_where_a_killed_attempt_was(bench, nodes) -> None:
    with pytest.raises(RunFailed, match="killed by SIGKILL"):
        bench.run(nodes.GoesOn(), run_id="r")
    assert bench.left() == ["r", "r.key.json"]
    with pytest.raises(RunFailed, match="killed by SIGKILL"):
        bench.resumed("r")
    assert bench.left() == ["r", "r.key.json"]
    result = bench.resumed("r")
    assert result.artifact("GoesOn", "result").value == 4
    assert bench.left() == []


def test_another_run_begins_anew(bench, nodes) -> None:
    with pytest.raises(RunFailed):
        bench.run(nodes.GoesOn(killed_at=(2,)), run_id="first")
    with pytest.raises(RunFailed):
        bench.run(nodes.GoesOn(killed_at=(2,)), run_id="second")
    assert bench.left() == ["first", "first.key.json", "second", "second.key.json"]
    assert bench.resumed("second").artifact("GoesOn", "result").value == 2
    # Found in the cache: what the first one left is of no use any more.
    assert bench.resumed("first")["GoesOn"].state == "CACHED"
    assert bench.left() == []


def test_what_fits_the_code_no_more_is_not_used(bench, tmp_path, monkeypatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text("")
    source = Path(bench.project, "sample_nodes.py").read_text()
    script = project / "counting_nodes.py"
    script.write_text(source)
    bench.project = str(project)
    monkeypatch.syspath_prepend(str(project))
    counting_nodes = importlib.import_module("counting_nodes")
    with pytest.raises(RunFailed):
        bench.run(counting_nodes.GoesOn(killed_at=(4,)), run_id="r")
    script.write_text(source.replace("count += self.step", "count += self.step + 2"))
    result = bench.resumed("r")
    del sys.modules["counting_nodes"]
    assert result.artifact("GoesOn", "result").value == 0
    log = bench.log_of(result["GoesOn"].execution_id)
    assert "checkpoints of an earlier attempt are not used: " in log
    assert "counting_nodes" in log


def test_an_attempt_that_ran_out_of_time_is_gone_on_with(bench, nodes) -> None:
    node = nodes.GoesOn(killed_at=(), hangs_at=3)
    result = bench.run(node.with_policy(retries=1, backoff_seconds=0.0, timeout_seconds=0.5))
    assert result.artifact("GoesOn", "result").value == 3
    assert bench.left() == []


STOPPED = """
import sys
sys.path.insert(0, sys.argv[1])
import sample_nodes
from penstock.dsl import Pipeline
from penstock.runners.local import LocalDagRunner
node = sample_nodes.GoesOn(killed_at=(), hangs_at=3)
pipeline = Pipeline("bench", pipeline_root=sys.argv[3], components=[node])
runner = LocalDagRunner(store=sys.argv[2], progress="none", max_parallel=1)
runner.run(pipeline, project_root=sys.argv[1], run_id="r")
"""


def test_a_run_that_was_stopped_is_gone_on_with(bench, machine) -> None:
    process = machine.start(
        STOPPED, bench.project, bench.store, bench.root, stderr=subprocess.DEVNULL
    )
    count = bench.checkpoints / "r" / "count"
    assert machine.wait_until(lambda: count.exists() and count.read_text() == "3")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    with MetadataStore.open(bench.store) as store:
        assert store.get_run("r").state == "CANCELED"
    assert bench.left() == ["r", "r.key.json"]
    assert bench.resumed("r").artifact("GoesOn", "result").value == 3
    assert bench.left() == []
