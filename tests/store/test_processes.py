"""Several processes on one store, and processes that are killed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from penstock.store import ExecutionState, MetadataStore, RunState

WRITER = str(Path(__file__).parent / "writer.py")


def start(url: str, run_id: str, nodes: int, at: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, WRITER, url, run_id, str(nodes), str(at)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def one_row_each(store: MetadataStore, table: str, columns: str) -> None:
    doubles = store.session.query(
        f"SELECT {columns}, count(*) FROM {table} GROUP BY {columns} HAVING count(*) > 1"
    )
    assert doubles == []


def test_twenty_processes_on_an_empty_store(url: str) -> None:
    at = time.time() + 4.0
    processes = [start(url, f"run-{number}", 3, at) for number in range(20)]
    lines = [line for process in processes for line in finish(process).splitlines()]
    with MetadataStore.open(url, create=False) as store:
        one_row_each(store, "Type", "name, type_kind")
        one_row_each(store, "TypeProperty", "type_id, name")
        one_row_each(store, "Context", "type_id, name")
        one_row_each(store, "MLMDEnv", "schema_version")
        one_row_each(store, "penstock_version", "version")
        names = {row[0] for row in store.session.query("SELECT name FROM Context")}
        assert names == {
            "shared",
            *(f"run-{number}" for number in range(20)),
            *(f"shared.node{number}" for number in range(3)),
            *(f"{number:064x}" for number in range(3)),
        }
        assert len(lines) == len(set(lines)) == 60
        runs = store.list_runs(limit=100)
        assert [run.state for run in runs] == [RunState.COMPLETE] * 20
        for run in runs:
            outputs = store.run_outputs(run.run_id)
            for number in range(3):
                (artifact,) = outputs[f"node{number}"]["statistics"]
                assert artifact.properties == {"rows": number}
                assert artifact.uri.startswith(f"/{run.run_id}/node{number}/")


def test_two_runs_at_once(url: str) -> None:
    MetadataStore.open(url).close()
    at = time.time() + 2.0
    processes = [start(url, f"run-{number}", 150, at) for number in range(2)]
    printed = [set(finish(process).splitlines()) for process in processes]
    assert not printed[0] & printed[1]
    with MetadataStore.open(url) as store:
        for number in range(2):
            states = store.run_states(f"run-{number}")
            assert len(states) == 150
            assert {record.state for record in states.values()} == {ExecutionState.COMPLETE}


@pytest.mark.parametrize("kills", [8])
def test_a_killed_process_leaves_the_last_good_state(url: str, kills: int) -> None:
    on_sqlite = url.startswith("sqlite")
    MetadataStore.open(url).close()
    source = random.Random(7)
    for number in range(kills):
        process = start(url, f"run-{number}", 100_000, 0.0)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(source.uniform(0.0, 0.3))
        process.kill()
        told, _ = process.communicate()
        assert process.returncode == -9
        with MetadataStore.open(url) as store:
            if not on_sqlite:
                # A minute passes.
                store.session.query("UPDATE penstock_lease SET expires = 0")
            taken = store.take_over_dead()
            assert taken == [f"run-{number}"]
            records = store.run_executions(f"run-{number}")
            states = [record.state for record in records]
            assert ExecutionState.RUNNING not in states
            assert states[:-1] == [ExecutionState.COMPLETE] * (len(states) - 1)
            complete = {r.id for r in records if r.state is ExecutionState.COMPLETE}
            # What the process had said to be published is; a line may be cut by the kill.
            said = {int(line.split()[0]) for line in told.splitlines()[:-1]}
            assert said <= complete
            for record in records:
                rows = len(store.outputs_of(record.id).get("statistics", []))
                assert rows == (1 if record.id in complete else 0)
            counts = store.session.query(
                "SELECT (SELECT count(*) FROM Artifact), (SELECT count(*) FROM penstock_artifact), "
                "(SELECT count(*) FROM Event WHERE type = 4), "
                "(SELECT count(*) FROM ArtifactProperty)"
            )
            assert len(set(counts[0])) == 1
            if on_sqlite:
                assert store.session.query("PRAGMA integrity_check") == [("ok",)]
            assert store.get_run(f"run-{number}").state is RunState.FAILED
