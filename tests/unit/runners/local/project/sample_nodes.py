"""Components that end in every way that a component can end."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.artifacts import Artifact, Examples, Integer
from penstock.dsl import Component, ExecutionContext, Input, Output, component, output
from penstock.progress import report_epoch


@component
def number(value: int = 1) -> int:
    return value


@component
def add(a: int, b: int) -> int:
    return a + b


@component
def process(a: int = 0) -> int:
    return os.getpid()


@component
def surroundings(a: int = 0) -> list:
    return [
        sys.path[0],
        os.environ["PYTHONHASHSEED"],
        getattr(sys.modules["__main__"], "__file__", None),
        "tensorflow" in sys.modules,
    ]


@component
def fails_if_there(path: str) -> int:
    if os.path.exists(path):
        raise ValueError(path)
    return 5


@component
def given_or_default(given: int = -1) -> int:
    return given


class Counts(Component):
    """Says how far it is."""

    result: Output[Integer] = output()

    def run(self, context: ExecutionContext) -> None:
        for done in range(4):
            context.progress(done, 3, "files")
        self.result.value = 3


class Trains(Component):
    """Reports epochs as training does; of those up to `known` an earlier attempt told."""

    epochs: int = 3
    known: int = 0
    fail: bool = False
    result: Output[Integer] = output()

    def run(self, context: ExecutionContext) -> None:
        for epoch in range(self.known + 1, self.epochs + 1):
            report_epoch(epoch, {"loss": 1.0 / epoch, "val_loss": float("nan")})
        if self.fail:
            raise RuntimeError("no luck")
        self.result.value = self.epochs


class GoesOn(Component):
    """Counts to six in its checkpoint folder; at some numbers it is killed, at one it hangs."""

    killed_at: tuple[int, ...] = (2, 4)
    hangs_at: int = 0
    step: int = 1
    result: Output[Integer] = output()

    def run(self, context: ExecutionContext) -> None:
        file = Path(context.checkpoint_dir, "count")
        begun = count = int(file.read_text()) if file.exists() else 0
        while count < 6:
            count += self.step
            file.write_text(str(count))
            if count in self.killed_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if count == self.hangs_at:
                time.sleep(60)
        self.result.value = begun


@component
def raises(a: int = 0) -> int:
    raise ValueError("no\nsuch luck")


@component
def fails_before(path: str, times: int) -> int:
    """Fail until a file has been appended to `times` times."""
    with open(path, "a") as file:
        file.write("x")
    if os.path.getsize(path) <= times:
        raise RuntimeError(f"failure {os.path.getsize(path)}")
    return os.path.getsize(path)


@component
def exits(a: int = 0) -> int:
    sys.exit(3)


@component
def ends_process(a: int = 0) -> int:
    print("last words")
    os._exit(4)


@component
def killed(a: int = 0) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return a


@component
def crashes(a: int = 0) -> int:
    os.kill(os.getpid(), signal.SIGSEGV)
    return a


@component
def leaves_children(marker: str, wait: float) -> int:
    """Start processes, one of them in a session of its own, and wait."""
    subprocess.Popen(["sleep", marker])
    subprocess.Popen(["setsid", "sleep", marker])
    subprocess.Popen(["sh", "-c", f"sleep {marker} & sleep {marker}"])
    time.sleep(wait)
    return 1


@component
def sleeps(seconds: float, started: str = "") -> int:
    if started:
        with open(started, "w") as file:
            file.write(str(os.getpid()))
    time.sleep(seconds)
    return 1


@component
def spins(seconds: float, value: int = 0) -> int:
    """Use a processor for so many seconds of its time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        value = (value * 31 + 7) % 1_000_003
    return value


@component
def talks(a: int = 0) -> int:
    print("to standard output")
    print("to standard error", file=sys.stderr)
    os.system("echo from a child process")
    os.write(2, b"from native code\n")
    logging.getLogger("penstock.node.x").info("a log record")
    warnings.warn("a warning", stacklevel=1)
    return a


@component
def writes_nothing(a: int, out: Output[Artifact]) -> None:
    pass


@component
def writes_file(size: int, out: Output[Artifact]) -> None:
    with open(f"{out.uri}/data", "wb") as file:
        file.write(b"x" * size)


@component
def fills_disk(out: Output[Artifact]) -> None:
    with open(f"{out.uri}/data", "wb") as file:
        while True:
            file.write(b"x" * 65536)


@component
def fills_folder(folder: str) -> int:
    """Leave no space where the folder lies."""
    written = 0
    with open(f"{folder}/filler", "wb", buffering=0) as file:
        for block in (65536, 4096, 512):
            try:
                while True:
                    written += file.write(b"x" * block)
            except OSError:
                continue
    return written


@component
def reads_size(artifact: Input[Artifact]) -> int:
    return os.path.getsize(f"{artifact.uri}/data")


class Devices(Component):
    """Wants a process whose TensorFlow shows so many devices."""

    devices: int = 1
    after: Input[Integer] | None = None
    pid: Output[Integer] = output()

    def worker_profile(self) -> Mapping[str, Any]:
        return {"logical_devices": self.devices, "environment": {"SAMPLE_DEVICES": self.devices}}

    def run(self, context: ExecutionContext) -> None:
        assert os.environ["SAMPLE_DEVICES"] == str(self.devices)
        self.pid.value = os.getpid()


class HeavyDevices(Component):
    """Runs TensorFlow on so many logical devices."""

    USES_TENSORFLOW = True
    WARM_IMPORTS = ("sample_warm:touch",)

    devices: int = 1
    after: Input[Integer] | None = None
    pid: Output[Integer] = output()

    def worker_profile(self) -> Mapping[str, Any]:
        return {"logical_devices": self.devices} if self.devices > 1 else {}

    def run(self, context: ExecutionContext) -> None:
        import sample_warm
        import tensorflow as tf

        assert sample_warm.touched
        if self.devices > 1:
            cpu = tf.config.list_physical_devices("CPU")[0]
            each = [tf.config.LogicalDeviceConfiguration() for _ in range(self.devices)]
            tf.config.set_logical_device_configuration(cpu, each)
        assert len(tf.config.list_logical_devices("CPU")) == self.devices
        context.report_metrics({"sum": float(tf.reduce_sum(tf.random.uniform([10])))})
        self.pid.value = os.getpid()


@component
def variable(name: str) -> str:
    return os.environ.get(name, "")


@component
def stubborn(started: str) -> int:
    """Ignore SIGTERM for a minute."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(started, "w") as file:
        file.write("x")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.1)
    return 1


@component
def reads_examples(examples: Input[Examples]) -> int:
    return len(os.listdir(examples.uri))


@component
def says(text: str, ok: bool, context: ExecutionContext) -> int:
    context.report_verdict(text, ok=ok)
    return 1
