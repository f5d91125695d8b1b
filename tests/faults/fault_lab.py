"""Killing processes at chosen moments, and what must hold afterwards."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

from penstock.artifacts import ArtifactState
from penstock.artifacts.fingerprint import fingerprint
from penstock.dsl import Pipeline
from penstock.runners.local import LocalDagRunner
from penstock.store import ExecutionState, MetadataStore, RunState

PROJECT = Path(__file__).resolve().parents[1] / "unit" / "runners" / "local" / "project"

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_EVENTS = {
    "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate",
}  # fmt: skip


class Calls:
    """Counts the calls that change the file system or use the database, and dies at one of them.

    Args:
        die_at: Before which call the process kills itself with signal 9; 0 for never.
    """

    def __init__(self, die_at: int) -> None:
        self.count = 0
        self._die_at = die_at
        sys.addaudithook(self._heard)
        calls = self

        class Connection(sqlite3.Connection):
            def execute(self, *arguments):
                calls.met()
                return super().execute(*arguments)

            def executemany(self, *arguments):
                calls.met()
                return super().executemany(*arguments)

        connect = sqlite3.connect
        sqlite3.connect = lambda *given, **named: connect(*given, **named, factory=Connection)

    def _heard(self, event: str, arguments: tuple) -> None:
        if event in _EVENTS or (event == "open" and (arguments[2] or 0) & _WRITING):
            self.met()

    def met(self) -> None:
        self.count += 1
        if self.count == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: Callable[[], None], die_at: int = 0) -> tuple[int | None, int]:
    """Run `work` in a forked process that counts its calls.

    Returns:
        The signal that ended it, or None; and how many calls it made, if it lived.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            calls = Calls(die_at)
            work()
            os.write(writing, str(calls.count).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as told:
        count = told.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status), 0
    assert status == 0, "the run in the child failed; its traceback is above"
    return None, int(count)


class Site:
    """A store and a root at which runs are started and killed."""

    def __init__(self, folder: Path, *, store: Path | None = None) -> None:
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
