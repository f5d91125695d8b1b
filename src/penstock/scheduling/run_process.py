"""The process of a run that a scheduler began: `penstock run` or `penstock resume`, as if it was typed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from penstock.scheduling.schedule import Schedule

_LOGS_KEPT = 50


class RunProcess:
    """A run in a process of its own. It outlives a scheduler that is killed.

    Args:
        arguments: What is typed after `penstock`.
        project_root: Its working directory.
        log: The file that gets what it prints.
    """

    def __init__(self, arguments: Sequence[str], project_root: Path, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "penstock", *arguments],
                cwd=project_root,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the scheduler, which asks its runs to stop.
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def stop(self) -> None:
        """Ask it to stop, so that the run can be resumed."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGTERM)

    def wait(self, seconds: float) -> None:
        """Wait for its end, and kill it if it does not come."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def run_arguments(schedule: Schedule, run_id: str, values: Mapping[str, str]) -> list[str]:
    """Return what to type to begin a run.

    Args:
        schedule: Its schedule.
        run_id: Its name.
        values: Its runtime parameters.
    """
    words = ["run", schedule.file, "--run-id", run_id, "--progress", "plain"]
    for name, value in values.items():
        words += ["--param", f"{name}={value}"]
    return words + _store(schedule)


def resume_arguments(schedule: Schedule, run_id: str) -> list[str]:
    """Return what to type to go on with a run."""
    return ["resume", run_id, "--progress", "plain", *_store(schedule)]


def _store(schedule: Schedule) -> list[str]:
    return ["--store", schedule.store] if schedule.store else []


def remove_old_logs(folder: Path, schedule: str) -> None:
    """Keep the logs of the last 50 runs of a schedule."""
    logs = sorted(folder.glob(f"{schedule}/*.log"), key=lambda each: each.stat().st_mtime)
    for path in logs[:-_LOGS_KEPT]:
        path.unlink(missing_ok=True)
