"""`penstock tensorboard`: started for real, and asked over HTTP."""

from __future__ import annotations

import glob
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from penstock.cli import main
from penstock.cli.training_logs import link_logs

LOGGING = """
import os
import time

from penstock.artifacts import ModelRun
from penstock.dsl import Component, Output, Pipeline, output
from penstock.training.watch.event_file import EventFile


class Train(Component):
    \"\"\"Logs as TensorBoardLog does, and waits until it may end.\"\"\"
    logs: bool = True
    until: str = ""
    model_run: Output[ModelRun] = output()

    def run(self, context):
        with open(f"{self.model_run.uri}/history.json", "w") as file:
            file.write("{}")
        if self.logs:
            events = EventFile(f"{self.model_run.uri}/train")
            events.add_scalars({"epoch_loss": 0.5}, 0)
            events.flush()
        while self.until and not os.path.exists(self.until):
            time.sleep(0.01)


pipeline = Pipeline("logging", components=[Train(TRAIN), Train().with_id("Other")])
"""


@pytest.fixture
def run(project, capsys):
    """Run a pipeline of a node that logs and another one; `None` if it goes on in another process."""
    started = []

    def start(arguments: str = "", *, wait: bool = True):
        source = LOGGING.replace("TRAIN", arguments)
        (project / "pipelines/logging.py").write_text(source)
        words = ["run", "pipelines/logging.py", "--run-id", "r", "--progress", "none"]
        if wait:
            assert main([*words, "--in-process"]) == 0
            capsys.readouterr()
        else:
            started.append(subprocess.Popen([sys.executable, "-m", "penstock", *words]))

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def serve(project):
    """Start TensorBoard; return its process and its address."""
    started = []

    def start(*words: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-m", "penstock", "tensorboard", *words, "--port", "0"]
        # Its folder of links is made there.
        environment = {**os.environ, "TMPDIR": str(project)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.fullmatch(r"TensorBoard at (http://localhost:\d+/) \(Ctrl-C ends it\)\n", line)
        assert match is not None, line
        return process, match[1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def ask(address: str, path: str):
    with urllib.request.urlopen(f"{address}data/{path}", timeout=20) as answer:
        return json.loads(answer.read())


def wait_for_runs(address: str, expected: list[str]) -> None:
    until = time.monotonic() + 30
    while sorted(ask(address, "runs")) != expected and time.monotonic() < until:
        time.sleep(0.1)
    assert sorted(ask(address, "runs")) == expected


def test_it_serves_what_the_nodes_logged_and_ends_with_ctrl_c(run, serve, project) -> None:
    run()
    process, address = serve("latest")
    wait_for_runs(address, ["r/Other/train", "r/Train/train"])
    (scalar,) = ask(address, "plugin/scalars/scalars?run=r/Train/train&tag=epoch_loss")
    assert scalar[1:] == [0, 0.5]
    assert glob.glob(f"{project}/penstock-tensorboard-*/r")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert not glob.glob(f"{project}/penstock-tensorboard-*")


def test_a_node_that_runs_is_there_and_what_comes_later(run, serve, project) -> None:
    run(f"until={str(project / 'end')!r}", wait=False)
    until = time.monotonic() + 30
    while not glob.glob(str(project / ".penstock/*/Train/model_run/*/train/*")):
        assert time.monotonic() < until
        time.sleep(0.05)
    process, address = serve("--all")
    # On a machine with one processor the other node waits for this one.
    until = time.monotonic() + 30
    while "r/Train/train" not in ask(address, "runs") and time.monotonic() < until:
        time.sleep(0.1)
    (project / "end").write_text("")
    wait_for_runs(address, ["r/Other/train", "r/Train/train"])
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_what_is_wrong_is_said(run, project, capsys) -> None:
    assert main(["tensorboard"]) == 2
    assert "takes a RUN or --all. Received: neither" in capsys.readouterr().err
    assert main(["tensorboard", "latest", "--all"]) == 2
    assert main(["tensorboard", "latest", "--port", "x"]) == 2
    capsys.readouterr()
    run("logs=False")
    assert main(["tensorboard", "s"]) == 3
    with socket.create_server(("localhost", 0)) as taken:
        port = str(taken.getsockname()[1])
        words = [sys.executable, "-m", "penstock", "tensorboard", "latest", "--port", port]
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 4
    assert f"TensorBoard cannot listen at localhost, port {port}" in ended.stderr


def test_without_logs_it_says_how_to_write_some(project, capsys) -> None:
    words = ["run", "pipelines/words.py", "--in-process", "--progress", "none", "--run-id", "w"]
    assert main(words) == 0
    assert main(["tensorboard", "w"]) == 3
    assert "no node of run w logged anything for TensorBoard. Give penstock.training" in (
        capsys.readouterr().err
    )


def test_a_node_that_is_tried_again_gets_another_link(tmp_path) -> None:
    for number in ("1", "2"):
        folder = tmp_path / number
        folder.mkdir()
        assert link_logs(tmp_path / "links", {"r/n": str(folder)}) == 0
        (folder / "events.out.tfevents.1").write_text("")
        assert link_logs(tmp_path / "links", {"r/n": str(folder)}) == 1
        assert os.readlink(tmp_path / "links/r/n") == str(folder)
    assert link_logs(tmp_path / "links", {"r/n": str(tmp_path / "gone")}) == 0
    assert not os.path.lexists(tmp_path / "links/r/n")
