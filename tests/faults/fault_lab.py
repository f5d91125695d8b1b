"""Killing processes at chosen moments, and what must hold afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from penstock.artifacts import ArtifactState
from penstock.artifacts.fingerprint import fingerprint
from penstock.dsl import Pipeline
from penstock.runners.local import LocalDagRunner
from penstock.store import ExecutionState, MetadataStore, RunState

PROJECT = Path(__file__).resolve().parents[1] / "unit" / "runners" / "local" / "project"


class FaultProcess:
    """A process that forks a child for each run; see `fault_process`."""

    def __init__(self) -> None:
        script = str(Path(__file__).with_name("fault_process.py"))
        self._process = subprocess.Popen(
            [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(
        self, site: Site, *, in_process: bool, die_at: int = 0, checkpoints: bool = False
    ) -> tuple[int | None, int]:
        """Run or resume at a site.

        Args:
            site: Where.
            in_process: Without workers.
            die_at: Before which call the process kills itself; 0 for never.
            checkpoints: Whether it is a pipeline of a node that goes on from its checkpoints.

        Returns:
            The signal that ended it, or None; and how many calls it made, if it lived.
        """
        order = {
            "folder": site.folder,
            "in_process": in_process,
            "die_at": die_at,
            "checkpoints": checkpoints,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        assert not answer["failed"], "the run failed; its traceback is above"
        return answer["signal"], answer["calls"]

    def close(self) -> None:
        self._process.communicate()


class Site:
    """A store and a root at which runs are started and killed."""

    def __init__(self, folder: Path, *, store: Path | None = None) -> None:
        self.folder = str(folder)
        self.project = str(PROJECT)
        self.store = str((store or folder) / "metadata.db")
        self.root = str(folder / "root")

    def pipeline(self, *nodes) -> Pipeline:
        return Pipeline("faults", pipeline_root=self.root, components=list(nodes))

    def runner(self, **settings) -> LocalDagRunner:
        return LocalDagRunner(
            **{"store": self.store, "progress": "none", "max_parallel": 2, **settings}
        )

    def knows(self, run_id: str) -> bool:
        if not os.path.exists(self.store):
            return False
        with MetadataStore.open(self.store) as store:
            return any(run.run_id == run_id for run in store.list_runs())

    def check(self) -> None:
        """Check what must hold once a run has ended, whatever happened before."""
        with MetadataStore.open(self.store) as store:
            states = store.execution_states()
            for record in store.find_artifacts(states=()):
                artifact = record.artifact
                assert artifact.state is ArtifactState.LIVE
                assert os.path.exists(artifact.uri), artifact.uri
                assert fingerprint(artifact.uri)[0] == artifact.fingerprint, artifact.uri
            for execution_id, state in states.items():
                lease = store.get_execution(execution_id).run_id
                assert state is not ExecutionState.RUNNING or store.is_held(lease), execution_id
            for run in store.list_runs(limit=10_000):
                assert run.state is not RunState.RUNNING or store.is_held(run.run_id), run
        for node in _folders(self.root):
            assert not node.name.startswith(".aside"), list(node.iterdir())
            for key in _folders(node):
                if key.name == ".system":
                    for system in _folders(key / "executor_execution"):
                        assert int(system.name) in states, system
                        assert not (system / ".temp").exists(), system
                    continue
                for attempt in _folders(key):
                    assert states.get(int(attempt.name)) is ExecutionState.COMPLETE, attempt


def _folders(path: str | Path) -> list[Path]:
    return [each for each in Path(path).iterdir() if each.is_dir()] if os.path.isdir(path) else []


class Tree:
    """The processes that descend from one."""

    def __init__(self, root: int) -> None:
        self.root = root

    def members(self) -> list[int]:
        """Return all descendants, the root first."""
        parents: dict[int, list[int]] = {}
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    stat = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if stat[0] != "Z":
                    parents.setdefault(int(stat[1]), []).append(int(name))
        found = [self.root]
        for member in found:
            found += parents.get(member, [])
        return found


def alive(marker: str) -> list[int]:
    """Return processes whose command line or environment names the marker."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                text = Path(f"/proc/{name}/environ").read_bytes()
            except OSError:
                continue
            if marker.encode() in text:
                found.append(int(name))
    return found


def gone(marker: str, seconds: float = 15.0) -> bool:
    """Wait until no process has the marker; return whether that came true."""
    deadline = time.monotonic() + seconds
    while alive(marker):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
