"""A process that has imported everything and nothing heavy, and forks a child for each run.

A fresh interpreter for each of hundreds of runs would take minutes; forking the process of the tests
would fork whatever threads other tests have started there.

Reads a JSON object a line: the site's `folder`, `in_process`, `checkpoints` (whether the pipeline is one node
that goes on from its checkpoints), and `die_at`, the call before which the child kills itself (0 for never).
Answers with a line: the `signal` that ended the child, or null; `calls`, how
many it made; and whether it `failed` by an exception.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import traceback
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from fault_lab import PROJECT, Site

sys.path.insert(0, str(PROJECT))

import sample_nodes as nodes

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


def go_on(site: Site, *, in_process: bool) -> None:
    """Run a node that goes on from its checkpoints, or go on with its run; its result must be right."""
    runner = site.runner(in_process=in_process)
    if site.knows("r1"):
        result = runner.resume("r1", project_root=site.project)
    else:
        pipeline = site.pipeline(nodes.GoesOn(killed_at=()))
        result = runner.run(pipeline, project_root=site.project, run_id="r1")
    # Whatever it began with, it has counted to the end, and nothing is left of the way.
    assert result.artifact("GoesOn", "result").value in range(7)
    assert os.listdir(os.path.join(site.root, "GoesOn", ".system", "checkpoints")) == []


def run_once(site: Site, *, in_process: bool) -> None:
    """Run a pipeline, or go on with its run if the store knows it; its result must be right."""
    data = nodes.writes_file(size=3000)
    size = nodes.reads_size(artifact=data)
    number = nodes.number(value=4)
    pipeline = site.pipeline(data, size, number, nodes.add(a=size, b=number))
    runner = site.runner(in_process=in_process)
    if site.knows("r1"):
        result = runner.resume("r1", project_root=site.project)
    else:
        result = runner.run(pipeline, project_root=site.project, run_id="r1")
    assert result.artifact("add", "result").value == 3004


def child(order: dict, answer: int) -> None:
    """Do what was ordered, in a process of its own."""
    status = 1
    try:
        calls = Calls(order["die_at"])
        work = go_on if order["checkpoints"] else run_once
        work(Site(Path(order["folder"])), in_process=order["in_process"])
        os.write(answer, str(calls.count).encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def main() -> None:
    for line in sys.stdin:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            child(json.loads(line), writing)
        os.close(writing)
        with os.fdopen(reading) as told:
            count = told.read()
        _, status = os.waitpid(pid, 0)
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        failed = ended is None and status != 0
        print(json.dumps({"signal": ended, "calls": int(count or 0), "failed": failed}), flush=True)


if __name__ == "__main__":
    main()
