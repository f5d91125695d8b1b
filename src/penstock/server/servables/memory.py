"""How much memory a version needs, estimated before it is loaded."""

from __future__ import annotations

import os

from penstock.artifacts.location import list_files
from penstock.machine import memory

# Measured with TensorFlow 2.21: variables take their size, a graph some times that of its message, a
# vocabulary its text and a table of it. A pickle is read whole and then unpickled.
_FACTORS = {"variables/": 1.0, "assets/": 4.0, "saved_model.pb": 8.0, "": 2.0}
_LEAST = 8 << 20


def estimate_memory(path: str) -> int:
    """Return about how many bytes of memory a version needs.

    Args:
        path: Its folder; a path or an fsspec URL.
    """
    needed = 0.0
    for name, size in list_files(path):
        needed += size * next(
            factor for start, factor in _FACTORS.items() if name.startswith(start)
        )
    return max(int(needed), _LEAST)


def check_memory(needed: int, bound: int | None) -> None:
    """Raise MemoryError if a version does not fit.

    Args:
        needed: The bytes that it needs.
        bound: The most that it may need; None for what the machine has left.

    Raises:
        MemoryError: If it does not fit; the message says how much is missing.
    """
    if bound is not None and needed > bound:
        raise MemoryError(
            f"it needs about {megabytes(needed)}, more than the {megabytes(bound)} that max_memory allows"
        )
    machine = memory()
    if machine is not None and needed > machine[1]:
        raise MemoryError(
            f"it needs about {megabytes(needed)}, and {megabytes(machine[1])} are free on this machine"
        )


def resident_memory() -> int:
    """Return the bytes of memory that this process has in use; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def megabytes(count: int) -> str:
    """Return a number of bytes in words."""
    return f"{count / 2**20:,.0f} MB"
