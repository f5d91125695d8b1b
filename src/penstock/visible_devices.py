"""Which GPUs and TPUs a process sees."""

from __future__ import annotations

from collections.abc import Iterable

_VARIABLES = {"GPU": ("CUDA_VISIBLE_DEVICES", "-1"), "TPU": ("TPU_VISIBLE_CHIPS", "")}
"""The variable of each kind, and its value for none."""


def visibility(held: Iterable[str], installed: Iterable[str]) -> dict[str, str]:
    """Return the environment in which a process sees the accelerators that it holds and no others.

    Args:
        held: Those to see, such as `GPU:0`.
        installed: Those that it might see; kinds that are not among them are left alone.

    Example:
        >>> visibility(["GPU:1"], ["GPU:0", "GPU:1"])
        {'CUDA_VISIBLE_DEVICES': '1'}
        >>> visibility([], ["GPU:0"]), visibility([], [])
        ({'CUDA_VISIBLE_DEVICES': '-1'}, {})
    """
    environment: dict[str, str] = {}
    held = list(held)
    kinds = {name.partition(":")[0] for name in installed}
    for kind, (variable, nothing) in _VARIABLES.items():
        if kind in kinds:
            numbers = [name.partition(":")[2] for name in held if name.startswith(kind)]
            environment[variable] = ",".join(numbers) or nothing
    return environment
