"""`show` with epochs of training, and `show --follow` of a run in another process."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from penstock.cli import main
from penstock.cli.console import Console
from penstock.cli.epoch_table import best_epoch, epoch_words, print_epochs
from penstock.store import EpochRecord, ExecutionState, MetadataStore, StoreError

STORE = ".penstock/metadata.db"

TRAINING = """
import os
import time

from penstock.artifacts import Integer
from penstock.dsl import Component, Output, Pipeline, output
from penstock.progress import report_epoch


class Train(Component):
    \"\"\"Reports an epoch each time that its file grows.\"\"\"
    epochs: int = 12
    waits_for: str = ""
    fail: bool = False
    result: Output[Integer] = output()

    def run(self, context):
        for epoch in range(1, self.epochs + 1):
            while self.waits_for and os.path.getsize(self.waits_for) < epoch:
                time.sleep(0.01)
            report_epoch(epoch, {"accuracy": 0.5, "loss": abs(epoch - 7) + 0.25, "nan": float("nan")})
        if self.fail:
            raise RuntimeError("no luck")
        self.result.value = 1


train = Train()
pipeline = Pipeline("training", components=[train])
"""


@pytest.fixture
def training(project):
    (project / "pipelines/training.py").write_text(TRAINING)
    return project


def run(*words: str, code: int = 0) -> None:
    words = ("run", "pipelines/training.py", "--in-process", "--progress", "none", *words)
    assert main(list(words)) == code


def read(capsys, *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(list(words)) == code
    return capsys.readouterr().out


def test_the_first_the_best_and_the_last_epochs_are_shown(training, capsys):
    run("--run-id", "a")
    whole = read(capsys, "show", "a")
    assert whole.splitlines()[-6:] == [
        "Train EPOCH  loss  accuracy  nan  AFTER",
        "          1  6.25       0.5  nan",
        "        ...",
        whole.splitlines()[-3],
        "        ...",
        whole.splitlines()[-1],
    ]
    assert whole.splitlines()[-3].split()[:4] == ["7", "0.25", "0.5", "nan"]
    assert whole.splitlines()[-3].endswith("best")
    assert whole.splitlines()[-1].split()[0] == "12"
    one = read(capsys, "show", "a", "Train").splitlines()
    assert one[0] == "node        Train of run a"
    assert [line.split()[0] for line in one[-10:]] == [
        "EPOCH",
        "1",
        "...",
        "5",
        "6",
        "7",
        "8",
        "9",
        "10",
        "11",
        "12",
    ][-10:]
    everything = read(capsys, "show", "a", "Train", "--epochs", "all").splitlines()
    assert [line.split()[0] for line in everything[-12:]] == [str(n) for n in range(1, 13)]
    assert main(["show", "a", "--epochs", "0"]) == 2
    assert main(["show", "a", "Trian"]) == 3
    assert "Did you mean 'Train'?" in capsys.readouterr().err


def test_json_has_all_epochs_and_a_cached_node_those_of_the_run_that_ran(training, capsys):
    run("--run-id", "a")
    run("--run-id", "b")
    (node,) = json.loads(read(capsys, "show", "b", "--json"))["nodes"]
    assert node["state"] == "CACHED"
    assert [each["epoch"] for each in node["epochs"]] == list(range(1, 13))
    assert node["epochs"][0]["metrics"] == {"accuracy": 0.5, "loss": 6.25, "nan": None}
    alone = json.loads(read(capsys, "show", "b", "Train", "--json"))
    assert alone == node


def test_a_run_of_another_process_is_followed_to_its_end(training, capsys):
    steps = training / "steps"
    steps.write_text("")
    source = TRAINING.replace(
        "train = Train()", f"train = Train(waits_for={str(steps)!r}, epochs=3)"
    )
    (training / "pipelines/training.py").write_text(source)
    command = [sys.executable, "-m", "penstock", "run", "pipelines/training.py", "--run-id", "r"]
    with open(os.devnull, "w") as nowhere:
        running = subprocess.Popen(command, cwd=training, stdout=nowhere, stderr=nowhere)
    following = None
    try:
        _wait(lambda: os.path.exists(STORE) and _begun("r"))
        following = subprocess.Popen(
            [sys.executable, "-m", "penstock", "show", "r", "--follow"],
            cwd=training, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert following.stderr is not None
        lines = iter(following.stderr.readline, "")
        assert next(lines).endswith("run r of training, 1 node\n")
        assert next(lines).endswith("Train runs\n")
        for epoch in (1, 2, 3):
            steps.write_text("x" * epoch)
            assert f"Train: epoch {epoch}: loss {7.25 - epoch:g}, accuracy 0.5" in next(lines)
        assert "Train complete" in next(lines)
        assert "run r complete in" in next(lines)
        assert following.wait(30) == 0
    finally:
        for process in (running, following):
            if process is not None:
                process.kill()
                process.communicate()


def test_what_is_over_is_told_at_once(training, capsys):
    source = TRAINING.replace("train = Train()", "train = Train(fail=True)")
    (training / "pipelines/training.py").write_text(source)
    run("--run-id", "r", code=1)
    capsys.readouterr()
    assert main(["show", "r", "--follow"]) == 1
    told = capsys.readouterr().err
    assert "Train: epoch 12: loss 5.25" in told
    assert "Train FAILED after" in told
    assert "resume it: penstock resume r" in told
    assert main(["show", "r", "--follow", "--json"]) == 2
    assert "leave out --json" in capsys.readouterr().err
    assert main(["show", "r", "--json", "--epochs", "3"]) == 2
    assert "--json has every epoch; leave out --epochs" in capsys.readouterr().err


def test_a_run_of_containers_is_followed(training, capsys):
    run("--run-id", "a")
    capsys.readouterr()

    def write(state: str) -> None:
        number = int(ExecutionState[state])
        ended = "NULL" if state == "RUNNING" else "finished"
        with sqlite3.connect(STORE) as connection:
            labels = json.dumps({"runner": "kubeflow"})
            connection.execute("UPDATE penstock_run SET labels = ?, state = ?", (labels, state))
            connection.execute("UPDATE Execution SET last_known_state = ?", (number,))
            connection.execute(f"UPDATE penstock_execution SET finished = {ended}, lease = 'pod'")
        connection.close()

    write("RUNNING")
    with MetadataStore.open(STORE) as store:
        store.hold("a", 60)
        store.hold("pod", 60)
    end = threading.Timer(1.0, write, ["COMPLETE"])
    end.start()
    assert main(["show", "a", "--follow"]) == 0
    end.join()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("] ")[1].split(" in ")[0] for line in lines] == [
        "run a of training, 1 node",
        "Train runs",
        "Train: epoch 12: loss 5.25, accuracy 0.5, nan nan",
        "Train complete",
        "run a complete",
    ]


def _begun(run_id: str) -> bool:
    try:
        with closing(MetadataStore.open(STORE, read_only=True)) as store:
            return any(each.run_id == run_id for each in store.list_runs())
    except StoreError:  # its tables are being made
        return False


def _wait(condition) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def record(epoch: int, **metrics: float) -> EpochRecord:
    return EpochRecord(epoch, metrics, 1000.0 + epoch, 1)


def test_the_best_epoch_has_the_least_loss_of_validation():
    epochs = [record(1, loss=3.0, val_loss=1.0), record(2, loss=1.0, val_loss=math.nan)]
    assert best_epoch(epochs) is epochs[0]
    assert best_epoch([record(1, loss=3.0), record(2, loss=1.0)]).epoch == 2
    assert best_epoch([record(1, auc=3.0)]) is None
    assert epoch_words(record(1200, b=1.0, val_loss=math.inf, loss=0.12345)) == (
        "epoch 1,200: loss 0.1235, val_loss inf, b 1"
    )
    assert epoch_words(record(1)) == "epoch 1"


def test_metrics_without_room_are_counted(capsys):
    epochs = [record(1, **{f"metric_{n}": 1.0 for n in range(9)})]
    print_epochs(Console(width=60), "EPOCH", epochs)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["EPOCH", "metric_0", "metric_1", "metric_2", "AFTER"]
    assert lines[-1] == "(6 more metrics: --json has all)"
