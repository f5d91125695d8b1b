"""What each of several processes on this machine may use: its accelerators and its threads."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from penstock import machine
from penstock.visible_devices import visibility

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
    threads = str(max(1, int((cores or machine.cores()) // count)))
    environments = []
    for number in range(count):
        dealt = list(accelerators[number::count])
        if accelerators and not dealt:
            dealt = [accelerators[number % len(accelerators)]]
        environment = {name: threads for name in _THREADS if name not in given}
        environment |= visibility(dealt, dealt)
        if len(accelerators) < count:
            environment |= {name: text for name, text in _SHARED.items() if name not in given}
        environments.append(environment)
    return environments
