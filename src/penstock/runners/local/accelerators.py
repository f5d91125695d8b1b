"""GPUs and TPUs of this machine as tokens: an attempt holds some and sees only those."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
from collections.abc import Iterable

from penstock.dsl.exceptions import PipelineError
from penstock.graph import Graph, GraphNode


class AcceleratorMissing(PipelineError):
    """A node asks for accelerators that this machine does not have."""


def installed_accelerators() -> list[str]:
    """Return names such as `GPU:0`, found without importing TensorFlow.

    Those that `CUDA_VISIBLE_DEVICES` hides from this process are left out.
    """
    gpus = [f"GPU:{number}" for number in _visible_gpus()]
    chips = len(glob.glob("/dev/accel[0-9]*"))
    return gpus + [f"TPU:{number}" for number in range(chips)]


def _visible_gpus() -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name.strip() not in ("", "-1")]
    count = len(glob.glob("/proc/driver/nvidia/gpus/*")) or _count_by_nvidia_smi()
    return [str(number) for number in range(count)]


def _count_by_nvidia_smi() -> int:
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        answer = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return sum(line.startswith("GPU ") for line in answer.stdout.splitlines())


class AcceleratorTokens:
    """The accelerators that are free.

    Args:
        names: Of all of them, such as `GPU:0`.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._all = list(names)
        self._free = list(self._all)

    def check(self, graph: Graph) -> None:
        """Raise, before the run, if a node asks for more than there is.

        Raises:
            AcceleratorMissing: It names the node, what it asks for and what there is.
        """
        for node in graph.nodes:
            kind, count = _wanted(node)
            there = [name for name in self._all if name.startswith(kind)]
            if len(there) < count:
                resources = node.bound_resources
                each = f", {resources.accelerator_count} for each of {resources.replicas} replicas"
                each *= resources.replicas > 1
                raise AcceleratorMissing(
                    f"{node.id} asks for {count} x {resources.accelerator} ({kind}){each}; this machine "
                    f"has {len(there)}. Run it on a machine that has them, or remove them from its "
                    "Resources."
                )

    def take(self, node: GraphNode) -> tuple[str, ...] | None:
        """Return the accelerators that the node now holds, or None if too few are free."""
        kind, count = _wanted(node)
        found = [name for name in self._free if name.startswith(kind)][:count]
        if len(found) < count:
            return None
        for name in found:
            self._free.remove(name)
        return tuple(found)

    def give_back(self, names: Iterable[str]) -> None:
        """Take accelerators back."""
        self._free += names
        self._free.sort(key=self._all.index)


def _wanted(node: GraphNode) -> tuple[str, int]:
    if not node.resources:
        return "GPU", 0
    resources = node.bound_resources
    if not resources.accelerator:
        return "GPU", 0
    return "TPU" if resources.is_tpu else "GPU", resources.accelerators_in_all
