"""A container as a process: its start, its signals, its end."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import site
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_INIT = Path(__file__).with_name("container_init.py")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclasses.dataclass(frozen=True, slots=True)
class ContainerSettings:
    """What a container is made of.

    Attributes:
        folder: The container's own folder here, empty.
        project: What its image has in `/app`.
        network: File of the network namespace.
        hostname: Name of the machine that it sees.
        user: Its user's number.
        groups: Groups' numbers, the first one its own.
        working_folder: Where the command starts.
        command: What it runs.
        environment: All its variables; `PATH` and `HOME` are added.
        mounts: (source, target, read only).
        shared_memory: Size of `/dev/shm`.
        read_only: Whether the root cannot be written to.
    """

    folder: Path
    project: Path
    network: str
    hostname: str
    user: int
    groups: Sequence[int]
    working_folder: str
    command: Sequence[str]
    environment: Mapping[str, str]
    mounts: Sequence[tuple[str, str, bool]]
    shared_memory: str = "64m"
    read_only: bool = False


class ContainerProcess:
    """A running container.

    Args:
        settings: What it is made of.
        log: File that its output is appended to.
        ended: Called once with the exit code, in a thread of its own.

    Attributes:
        processor_seconds: What it has used, once it has ended.
    """

    def __init__(
        self, settings: ContainerSettings, log: Path, ended: Callable[[int], None]
    ) -> None:
        self.processor_seconds = 0.0
        for name in ("root", "tmp"):
            (settings.folder / name).mkdir(parents=True)
        (settings.folder / "tmp").chmod(0o1777)
        told = settings.folder / "container.json"
        told.write_text(json.dumps(_described(settings)), encoding="utf-8")
        command = [sys.executable, "-I", "-S", str(_INIT), str(told)]
        with open(log, "ab") as output:
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env={"PATH": _PATH},
            )
        threading.Thread(target=self._watch, args=(ended,), daemon=True).start()

    def signal(self, number: int) -> None:
        """Send a signal to the container's first process, as a kubelet does."""
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
            first = [int(each) for each in children.read_text().split()]
            # SIGKILL is for whatever runs, also before there is a first process.
            for each in first or ([self._process.pid] if number == signal.SIGKILL else []):
                os.kill(each, number)

    def _watch(self, ended: Callable[[int], None]) -> None:
        _, status, usage = os.wait4(self._process.pid, 0)
        code = self._process.returncode = os.waitstatus_to_exitcode(status)
        self.processor_seconds = usage.ru_utime + usage.ru_stime
        ended(128 - code if code < 0 else code)


def _described(settings: ContainerSettings) -> dict[str, object]:
    binaries = Path(sys.executable).parent
    programs = {sys.prefix, sys.base_prefix, str(Path(sys.executable).resolve().parent)}
    programs.add(str(Path(__file__).resolve().parents[2] / "src"))
    programs.update(each for each in site.getsitepackages() if os.path.isdir(each))
    given = {
        "PATH": f"{binaries}:{_PATH}",
        "HOME": "/root" if settings.user == 0 else "/home/penstock",
        "HOSTNAME": settings.hostname,
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    return {
        "folder": str(settings.folder / "root"),
        "network": settings.network,
        "project": str(settings.project),
        "programs": sorted(programs),
        "tmp": str(settings.folder / "tmp"),
        "hostname": settings.hostname,
        "user": settings.user,
        "group": settings.groups[0],
        "groups": list(settings.groups),
        "working_folder": settings.working_folder,
        "command": list(settings.command),
        "environment": {**given, **settings.environment},
        "mounts": [list(each) for each in settings.mounts],
        "shared_memory": settings.shared_memory,
        "read_only": settings.read_only,
    }
