"""What each of several processes on this machine may use: its accelerators and its threads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

_VARIABLES = {"GPU": "CUDA_VISIBLE_DEVICES", "TPU": "TPU_VISIBLE_CHIPS"}

# TensorFlow's, those of OpenMP and OpenBLAS (NumPy, SciPy), and XLA's on the CPU.
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")

# Several processes on one GPU: each takes memory as it needs it.
_SHARED = {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}


def worker_environments(
    count: int,
    accelerators: Sequence[str] = (),
    *,
    cores: float | None = None,
    given: Mapping[str, str] = os.environ,
) -> list[dict[str, str]]:
    """Return the environment of each of several processes, besides what they inherit.

    Accelerators are dealt out like cards. If there are fewer than processes, several processes share
    one, whose memory TensorFlow and JAX then take as they need it. Cores are divided into threads;
    variables that are set already are the user's and stay.

    Args:
        count: How many processes there are.
        accelerators: Those that they have together, such as `("GPU:0", "GPU:1")`.
        cores: Cores that they have together; by default those that this process may use.
        given: The environment that they inherit.

    Example:
        >>> worker_environments(2, ["GPU:0", "GPU:1"], cores=8)[1]["CUDA_VISIBLE_DEVICES"]
        '1'
    """
    threads = str(max(1, int((cores or _usable_cores()) // count)))
    environments = []
    for number in range(count):
        dealt = list(accelerators[number::count])
        if accelerators and not dealt:
            dealt = [accelerators[number % len(accelerators)]]
        environment = {name: threads for name in _THREADS if name not in given}
        for kind, variable in _VARIABLES.items():
            numbers = [name.partition(":")[2] for name in dealt if name.startswith(kind)]
            if numbers:
                environment[variable] = ",".join(numbers)
        if len(accelerators) < count:
            environment |= {name: text for name, text in _SHARED.items() if name not in given}
        environments.append(environment)
    return environments


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
