"""However the process that started a group ends, the group ends with it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow]

# The chief waits in a collective for a worker that never comes: in native code.
MODULE = """
import os, pathlib, subprocess, time
import tensorflow as tf

def run_fn(fn_args):
    folder = pathlib.Path(fn_args.custom_config["folder"])
    started = subprocess.Popen(["sleep", "600"])
    name = f"{fn_args.worker_index}.pids"
    (folder / "new").with_suffix(f".{name}").write_text(f"{os.getpid()} {started.pid}")
    (folder / "new").with_suffix(f".{name}").rename(folder / name)
    if not fn_args.is_chief:
        time.sleep(600)

    @tf.function
    def add(value):
        return tf.distribute.get_replica_context().all_reduce("SUM", value)

    fn_args.strategy.run(add, args=(tf.constant(1.0),))
"""

SCRIPT = """
import sys
from penstock import LocalDagRunner, Pipeline
from penstock.artifacts import Examples
from penstock.components import ImportExampleGen, Trainer

gen = ImportExampleGen(input_base={examples!r})
trainer = Trainer(
    examples=gen.outputs["examples"], module_file="waits.py", distribution="multi_worker",
    custom_config={{"folder": {folder!r}}},
).with_resources(replicas=2)
pipeline = Pipeline("waits", components=[gen, trainer], pipeline_root={folder!r} + "/root")

if __name__ == "__main__":
    LocalDagRunner(in_process={in_process}).run(pipeline)
"""


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(true, seconds=120):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("number", "in_process"),
    [
        (signal.SIGKILL, True),
        (signal.SIGINT, True),
        (signal.SIGTERM, True),
        (signal.SIGKILL, False),
    ],
)
def test_nothing_is_left_behind(project, number, in_process):
    (project / "pyproject.toml").write_text("[tool.penstock]\n")
    (project / "waits.py").write_text(MODULE)
    examples = str(project / "tfrecords_gzip/Split-train")
    script = project / "script.py"
    script.write_text(SCRIPT.format(examples=examples, folder=str(project), in_process=in_process))
    # A session of its own: Ctrl-C at a terminal reaches its whole group, here only the script.
    with open(project / "output.txt", "w") as output:
        run = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=project,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        files = [project / f"{index}.pids" for index in range(2)]
        try:
            wait_until(lambda: all(each.exists() for each in files) or run.poll() is not None)
            assert run.poll() is None, (project / "output.txt").read_text()[-3000:]
            pids = [int(pid) for each in files for pid in each.read_text().split()]
            assert len(pids) == 4
            assert all(map(is_alive, pids))
            os.kill(run.pid, number)
            run.wait(60)
            wait_until(lambda: not any(map(is_alive, pids)), seconds=30)
        finally:
            run.kill()
            run.wait()
