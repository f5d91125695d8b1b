"""Accelerators of this machine, found without importing TensorFlow."""

from __future__ import annotations

import csv
import dataclasses
import glob
import shutil
import subprocess
from typing import Literal


@dataclasses.dataclass(frozen=True, slots=True)
class Accelerator:
    """A device.

    Attributes:
        kind: GPU or TPU.
        name: Model, as far as it is known.
        memory: Bytes, or None.
        driver: Version of its driver, or empty.
    """

    kind: Literal["GPU", "TPU"]
    name: str
    memory: int | None = None
    driver: str = ""


def accelerators(proc: str = "/proc", dev: str = "/dev") -> list[Accelerator]:
    """Return the GPUs and TPUs that the system knows.

    NVIDIA's are asked of `nvidia-smi`, else read from the driver's folder in /proc; TPU chips have
    device files.

    Args:
        proc: Where procfs is mounted.
        dev: Where device files are.
    """
    found = _nvidia_smi()
    if not found:
        for path in sorted(glob.glob(f"{proc}/driver/nvidia/gpus/*/information")):
            found.append(Accelerator("GPU", _model(path)))
    chips = glob.glob(f"{dev}/accel[0-9]*")
    found += [Accelerator("TPU", chip.rpartition("/")[2]) for chip in sorted(chips)]
    return found


def _nvidia_smi() -> list[Accelerator]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [
        program,
        "--query-gpu=name,memory.total,driver_version",
        "--format=csv,noheader,nounits",
    ]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    if answer.returncode:
        return []
    found = []
    for row in csv.reader(answer.stdout.splitlines(), skipinitialspace=True):
        if len(row) == 3:
            memory = int(row[1]) * 2**20 if row[1].isdecimal() else None
            found.append(Accelerator("GPU", row[0], memory, row[2]))
    return found


def _model(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("Model:"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return "NVIDIA"
