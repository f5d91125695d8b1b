"""The machine: processors, memory, shared memory, disk, accelerators."""

from __future__ import annotations

import glob
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator

from penstock import machine
from penstock.cli.diagnosis.devices import Accelerator, accelerators
from penstock.cli.diagnosis.finding import Diagnosis
from penstock.cli.quantities import size
from penstock.installation import install_command

_GIB = 2**30
_LEAST_MEMORY = 2 * _GIB
_LEAST_DISK = 5 * _GIB
_LEAST_SHARED = 64 * 2**20


def check_machine(folders: dict[str, str]) -> Iterator[Diagnosis]:
    """Yield diagnoses of processors, memory and disk.

    Args:
        folders: What is kept where: a label and a local folder each.
    """
    yield Diagnosis("good", "processors", f"{machine.cores()} usable")
    memory = machine.memory()
    if memory is not None:
        total, free = memory
        low = free < _LEAST_MEMORY
        yield Diagnosis(
            "warning" if low else "good",
            "memory",
            f"{size(free)} of {size(total)} free",
            "TensorFlow needs about 2 GiB for each worker: end other programs, or run with "
            "--max-parallel 1"
            if low
            else "",
        )
    shared = machine.free_space("/dev/shm") if os.path.isdir("/dev/shm") else None
    if shared is not None:
        low = shared[1] < _LEAST_SHARED
        yield Diagnosis(
            "warning" if low else "good",
            "shared memory",
            f"{size(shared[0])} of {size(shared[1])} free",
            "give the container more: --shm-size=1g" if low else "",
        )
    seen: set[int] = set()
    for label, folder in folders.items():
        space = machine.free_space(folder)
        if space is None:
            continue
        existing = folder
        while not os.path.exists(existing):
            existing = os.path.dirname(existing)
        device = os.stat(existing).st_dev
        if device in seen:
            continue
        seen.add(device)
        free, total = space
        level = "problem" if free < 100 * 2**20 else "warning" if free < _LEAST_DISK else "good"
        yield Diagnosis(
            level,  # type: ignore[arg-type]
            "disk",
            f"{size(free)} of {size(total)} free for the {label} ({folder})",
            "" if level == "good" else "make room: `penstock gc` says what can go",
        )


def check_devices() -> Iterator[Diagnosis]:
    """Yield the accelerators that the system knows, and whether TensorFlow's build fits them."""
    there = accelerators()
    if not there:
        yield Diagnosis("good", "accelerators", "none: training runs on the CPU")
        return
    names = ", ".join(_named(each) for each in there)
    yield Diagnosis("good", "accelerators", names)
    if any(each.kind == "GPU" for each in there):
        yield from _check_cuda()


def _named(device: Accelerator) -> str:
    details = [size(device.memory)] if device.memory else []
    details += [f"driver {device.driver}"] if device.driver else []
    return f"{device.kind} {device.name}" + (f" ({', '.join(details)})" if details else "")


def _check_cuda() -> Iterator[Diagnosis]:
    """Look for the CUDA libraries that pip or the system brought."""
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or spec.origin is None:
        yield Diagnosis("warning", "CUDA", "TensorFlow is not installed", install_command("run"))
        return
    packages = os.path.dirname(os.path.dirname(spec.origin))
    places = [f"{packages}/nvidia/*/lib/libcudnn.so*", "/usr/lib/*/libcudnn.so*",
              "/usr/local/cuda*/lib64/libcudnn.so*"]  # fmt: skip
    found = [path for place in places for path in glob.glob(place)]
    if found:
        yield Diagnosis("good", "CUDA", f"cuDNN in {os.path.dirname(found[0])}")
    else:
        yield Diagnosis(
            "problem",
            "CUDA",
            "there is a GPU, but no cuDNN library: TensorFlow will not use it",
            "pip install 'tensorflow[and-cuda]'",
        )


_ASK = """
import json, os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
build = tf.sysconfig.get_build_info()
print(json.dumps({
    "version": tf.__version__,
    "devices": [each.name for each in tf.config.list_physical_devices()],
    "cuda": build.get("cuda_version"), "cudnn": build.get("cudnn_version"),
}))
"""


def check_tensorflow_devices() -> Iterator[Diagnosis]:
    """Ask TensorFlow, imported in a process of its own, which devices it sees."""
    try:
        answer = subprocess.run(
            [sys.executable, "-c", _ASK], capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        yield Diagnosis(
            "problem", "TensorFlow", "its import took more than 120 s", "see byte code, above"
        )
        return
    if answer.returncode:
        lines = answer.stderr.strip().splitlines()
        last = lines[-1] if lines else f"exit code {answer.returncode}"
        yield Diagnosis(
            "problem", "TensorFlow", f"cannot be imported: {last}", install_command("run")
        )
        return
    said = json.loads(answer.stdout.splitlines()[-1])
    built = f", built for CUDA {said['cuda']}, cuDNN {said['cudnn']}" if said["cuda"] else ""
    names = ", ".join(name.rpartition("physical_device:")[2] for name in said["devices"])
    text = f"{said['version']} sees {names}{built}"
    blind = any(each.kind == "GPU" for each in accelerators()) and "GPU" not in names
    yield Diagnosis(
        "problem" if blind else "good",
        "TensorFlow",
        text,
        "the GPU is not used: pip install 'tensorflow[and-cuda]'" if blind else "",
    )
