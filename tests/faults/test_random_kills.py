"""Kills at random moments: of the runner alone, of one of its processes, of all of them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from fault_lab import Site, Tree, gone

KILLS = int(os.environ.get("PENSTOCK_FAULT_KILLS", "300"))

SCRIPT = """
import sys
sys.path.insert(0, {project!r})
import sample_nodes as nodes
from penstock.dsl import Pipeline
from penstock.runners.local import LocalDagRunner
from penstock.runners.result import RunFailed

data = nodes.writes_file(size=3000)
size = nodes.reads_size(artifact=data)
number = nodes.number(value=4)
children = nodes.leaves_children(marker="0.2", wait=0.15)
total = nodes.add(a=size, b=number)
children.add_upstream_node(number)
total.add_upstream_node(children)
pipeline = Pipeline(
    "faults", pipeline_root={root!r}, components=[data, size, number, children, total]
)
runner = LocalDagRunner(store={store!r}, progress="none", max_parallel=2)
try:
    if {resume!r}:
        result = runner.resume("r1", project_root={project!r})
    else:
        result = runner.run(pipeline, project_root={project!r}, run_id="r1")
except RunFailed as failed:
    print(failed, file=sys.stderr)
    sys.exit(7)
assert result.artifact("add", "result").value == 3004
"""


def start(site: Site, marker: str, **settings) -> subprocess.Popen:
    script = SCRIPT.format(**vars(site), resume=site.knows("r1"))
    environment = {**os.environ, "PENSTOCK_FAULT_MARKER": marker}
    return subprocess.Popen([sys.executable, "-c", script], env=environment, **settings)


def kill_one_of(runner: subprocess.Popen, chance: random.Random) -> str:
    """Kill the runner, all of its processes, or one of the others; return which."""
    what = chance.choice(["runner", "runner", "everything", "another"])
    members = Tree(runner.pid).members()
    if what == "runner":
        victims = members[:1]
    elif what == "everything":
        victims = members
    else:
        victims = [chance.choice(members)]
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return what


def kill_and_recover(site: Site, chance: random.Random, marker: str, longest: float) -> None:
    runner = start(site, marker, stderr=subprocess.DEVNULL)
    time.sleep(chance.uniform(0.0, longest))
    what = kill_one_of(runner, chance)
    ended = runner.wait(timeout=60)
    assert ended in (0, 7, -signal.SIGKILL), (what, ended)
    assert gone(marker), f"after a kill of {what}"
    again = start(site, marker, stderr=subprocess.PIPE, text=True)
    _, said = again.communicate(timeout=60)
    assert again.returncode == 0, (what, said)
    assert gone(marker)
    site.check()


def rounds(tmp_path, chance: random.Random, count: int) -> None:
    whole = Site(tmp_path / "whole")
    began = time.monotonic()
    assert start(whole, "whole").wait(timeout=60) == 0
    longest = time.monotonic() - began
    for number in range(count):
        site = Site(tmp_path / str(number))
        kill_and_recover(site, chance, f"{tmp_path.name}-{number}-{os.getpid()}", longest)


def test_some_kills(tmp_path, chance) -> None:
    rounds(tmp_path, chance, 6)


@pytest.mark.slow
def test_many_kills(tmp_path, chance) -> None:
    rounds(tmp_path, chance, KILLS)
