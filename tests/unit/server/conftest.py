"""Models to serve, and a server in a process of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory) -> str:
    """A SavedModel with signatures of every kind."""
    import tensorflow as tf

    spec = {
        "x": tf.io.FixedLenFeature([1], tf.float32),
        "n": tf.io.FixedLenFeature([1], tf.int64, default_value=[7]),
        "kind": tf.io.FixedLenFeature([], tf.string, default_value="none"),
    }
    class_spec = {"x": spec["x"]}
    module = tf.Module()
    module.weight = tf.Variable(2.0)
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64)), -1
    )
    texts = tf.TensorSpec([None], tf.string, name="examples")

    @tf.function(input_signature=[texts])
    def serve(examples):
        row = tf.io.parse_example(examples, spec)
        return {
            "double": row["x"] * module.weight,
            "n": row["n"][:, 0],
            "kind": row["kind"],
            "index": module.table.lookup(row["kind"]),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def halve(x):
        return {"half": x / 2}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float32, name="a"),
            tf.TensorSpec([None], tf.string, name="s"),
            tf.TensorSpec([None], tf.int32, name="i"),
            tf.TensorSpec([None], tf.bool, name="b"),
        ]
    )
    def mixed(a, s, i, b):
        return {"sum": tf.reduce_sum(a, 1), "s_bytes": s, "i": i, "b": b}

    @tf.function(input_signature=[texts])
    def classes(examples):
        x = tf.io.parse_example(examples, class_spec)["x"]
        names = tf.tile(tf.constant([["low", "high"]]), [tf.shape(x)[0], 1])
        return {"classes": names, "scores": tf.concat([1 - x, x], 1)}

    @tf.function(input_signature=[texts])
    def value(examples):
        return {"outputs": 3 * tf.io.parse_example(examples, class_spec)["x"]}

    path = str(tmp_path_factory.mktemp("saved") / "model")
    signatures = {
        "serving_default": serve,
        "halve": halve,
        "mixed": mixed,
        "classes": classes,
        "value": value,
    }
    tf.saved_model.save(module, path, signatures)
    return path


class RunningServer:
    """`penstock serve` in a process of its own."""

    def __init__(
        self, process: subprocess.Popen[str], address: str, grpc_address: str | None, log: Path
    ) -> None:
        self.process = process
        self.address = address
        self.grpc_address = grpc_address
        self.log = log

    def get(self, path: str, **settings) -> httpx.Response:
        return httpx.get(self.address + path, timeout=60, **settings)

    def post(self, path: str, **settings) -> httpx.Response:
        return httpx.post(self.address + path, timeout=60, **settings)

    def wait_until(self, what) -> None:
        end = time.monotonic() + 240
        while not what():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@contextlib.contextmanager
def running(folder: Path, *words: str) -> Iterator[RunningServer]:
    """Start a server on a free port, and stop it in the end."""
    log = folder / "server.log"
    with log.open("w") as written:
        command = [sys.executable, "-m", "penstock", "serve", *words, "--port", "0"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=written, text=True, cwd=folder
        )
    try:
        line = process.stdout.readline()
        assert line.startswith("serving at http"), log.read_text()
        words = line.split()
        grpc_address = words[4].removeprefix("grpc://") if words[3] == "and" else None
        yield RunningServer(process, words[2], grpc_address, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def server(saved_model, tmp_path_factory) -> Iterator[RunningServer]:
    """A server of the model `m` in version 3, with all that it needs loaded."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(saved_model, folder / "m" / "3")
    with running(folder, f"m={folder / 'm'}") as started:
        started.wait_until(lambda: started.get("/v2/health/ready").status_code == 200)
        yield started


@pytest.fixture(autouse=True)
def _quiet_tensorflow(monkeypatch) -> None:
    monkeypatch.setitem(os.environ, "TF_CPP_MIN_LOG_LEVEL", "3")
