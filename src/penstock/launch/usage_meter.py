"""What an attempt used of its machine: time, CPU seconds, peak memory."""

from __future__ import annotations

import contextlib
import gc
import resource
import sys
import time

from penstock.store.records import Usage


class UsageMeter:
    """Measures time, CPU seconds and peak memory from when it is made."""

    def __init__(self) -> None:
        gc.collect(0)
        with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
            # Resets the peak (proc(5)), so that a warm worker's past is not counted.
            file.write("5")
        self._started = time.perf_counter()
        self._cpu = _cpu_seconds()

    def read(self, bytes_written: int) -> Usage:
        """Return what was used since."""
        return Usage(
            wall_seconds=time.perf_counter() - self._started,
            cpu_seconds=_cpu_seconds() - self._cpu,
            peak_rss_bytes=_peak_rss_bytes(),
            bytes_written=bytes_written,
        )


def _cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _peak_rss_bytes() -> int:
    try:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
