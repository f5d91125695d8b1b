from __future__ import annotations

import os
import time

import fsspec
import pytest

from penstock.artifacts import layout, location
from penstock.store import MetadataStore, RunRecord, RunState
from penstock.upkeep import Rules, collect_garbage

DAY = 86_400.0


class Bench:
    """A store with runs of a node that left checkpoints below a root."""

    def __init__(self, store: MetadataStore, root: str) -> None:
        self.store = store
        self.root = root

    def run(
        self, run_id: str, state: RunState | None, *, node: str = "Trainer", **labels: str
    ) -> None:
        self.store.create_run(RunRecord(run_id, "p", 1.0, root=self.root, labels=labels))
        execution = self.store.register_execution(run_id=run_id, node_id=node, type_name="test.N")
        self.store.fail(execution, "killed")
        if state is not None:
            self.store.finish_run(run_id, state)
        self.leave(run_id, node)
        time.sleep(0.002)  # times are milliseconds

    def leave(self, run_id: str, node: str = "Trainer") -> None:
        folder = layout.checkpoint_folder(self.root, node, run_id)
        location.write_bytes(f"{folder}.key.json", b"{}")
        location.write_bytes(f"{folder}/state/model", b"12345")

    def left(self, node: str = "Trainer") -> set[str]:
        place = f"{self.root}/{node}/.system/checkpoints"
        return {name.partition("/")[0] for name, _ in location.list_files(place)}

    def gone(self, rules: Rules | None = None, **more) -> dict[str, list[str]]:
        collected = collect_garbage(self.store, rules, **more)
        found: dict[str, list[str]] = {}
        for each in collected.folders:
            found.setdefault(each.kind, []).append(os.path.basename(each.path))
        return found


@pytest.fixture(params=["local", "memory"])
def bench(request, tmp_path):
    root = str(tmp_path / "root") if request.param == "local" else "memory://bucket/root"
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        yield Bench(store, root)
    fsspec.filesystem("memory").store.clear()


def test_of_a_complete_run_nothing_is_kept(bench) -> None:
    bench.run("complete", RunState.COMPLETE)
    bench.run("failed", RunState.FAILED)
    bench.run("stopped", RunState.CANCELED)
    assert bench.gone() == {"checkpoints": ["complete"]}
    assert bench.gone(remove=True) == {"checkpoints": ["complete"]}
    assert bench.left() == {"failed", "failed.key.json", "stopped", "stopped.key.json"}
    assert bench.gone() == {}


def test_the_newest_of_each_node_are_kept_and_those_within_the_time(bench) -> None:
    for number in range(4):
        bench.run(f"r{number}", RunState.FAILED)
    bench.run("other", RunState.FAILED, node="Tuner")
    last = bench.store.run_ends(["r3"])["r3"].last_work
    assert bench.gone(Rules(keep=3)) == {"checkpoints": ["r0"]}
    assert bench.gone(Rules(keep=1, younger_than=DAY)) == {}
    later = last + 2 * DAY
    assert bench.gone(Rules(keep=1, younger_than=DAY), now=later) == {
        "checkpoints": ["r2", "r1", "r0"]
    }
    assert bench.gone(Rules(keep=1, pipeline="another")) == {}


def test_a_run_that_goes_on_keeps_them_and_a_killed_one_can_be_resumed(bench) -> None:
    with bench.store.acquire_lease("alive"):
        bench.run("alive", None)
        bench.run("killed", None)
        assert bench.gone(Rules(keep=1)) == {}
    assert len(bench.gone(Rules(keep=1))["checkpoints"]) == 1


def test_those_of_a_run_that_the_store_does_not_know_go_with_what_is_unknown(bench) -> None:
    bench.run("known", RunState.FAILED)
    bench.leave("deleted/run")
    collected = collect_garbage(bench.store)
    assert [os.path.basename(each.path) for each in collected.unknown] == ["deleted%2Frun"]
    assert collected.folders == []
    assert bench.gone(unknown=True, remove=True) == {"unknown": ["deleted%2Frun"]}
    assert bench.left() == {"known", "known.key.json"}


def test_a_run_of_containers_keeps_them_while_it_goes_on(bench) -> None:
    bench.run("cluster", None, runner="kubeflow")
    bench.store.hold("cluster", 60)
    assert bench.gone(Rules(keep=0)) == {}
    bench.store.set_run_state("cluster", RunState.COMPLETE)
    assert bench.gone() == {"checkpoints": ["cluster"]}
