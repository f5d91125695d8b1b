"""Processors, memory and disk of this machine, as far as this process may use them."""

from __future__ import annotations

import os


def cores() -> int:
    """Return how many processors this process may use, given its affinity and its cgroup."""
    count = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        if quota != "max":
            count = min(count, max(1, int(int(quota) / int(period))))
    except (OSError, ValueError):
        pass
    return count


def memory() -> tuple[int, int] | None:
    """Return (total, available) bytes of memory, within the cgroup's limit if any; None if unknown."""
    values: dict[str, int] = {}
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                name, _, rest = line.partition(":")
                if name in ("MemTotal", "MemAvailable"):
                    values[name] = int(rest.split()[0]) * 1024
    except (OSError, ValueError):
        pass
    if len(values) < 2:
        return None
    total, available = values["MemTotal"], values["MemAvailable"]
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            limit = file.read().strip()
        if limit != "max" and int(limit) < total:
            with open("/sys/fs/cgroup/memory.current", encoding="ascii") as file:
                used = int(file.read())
            total, available = int(limit), min(available, int(limit) - used)
    except (OSError, ValueError):
        pass
    return total, available


def free_space(path: str) -> tuple[int, int] | None:
    """Return (free, total) bytes of the file system that holds `path` (or its nearest parent)."""
    while not os.path.exists(path):
        parent = os.path.dirname(path)
        if parent == path:
            return None
        path = parent
    space = os.statvfs(path)
    return space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize
