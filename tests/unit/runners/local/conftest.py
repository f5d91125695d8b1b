from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).parent / "project"


@pytest.fixture(scope="session")
def project() -> str:
    """Root of the project whose components are run."""
    return str(PROJECT)


@pytest.fixture(scope="session")
def nodes() -> ModuleType:
    """The module of sample components."""
    if str(PROJECT) not in sys.path:
        sys.path.insert(0, str(PROJECT))
    return importlib.import_module("sample_nodes")


class Machine:
    """What is going on on this machine."""

    def __init__(self) -> None:
        self.started: list[subprocess.Popen] = []

    def processes_named(self, marker: str) -> list[int]:
        """Return processes whose command line has the marker as one of its words."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if marker.encode() in words:
                    found.append(int(entry))
        return found

    def wait_until(self, condition, seconds: float = 20.0) -> bool:
        """Wait for a condition; return whether it came true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(0.02)
        return bool(condition())

    def start(self, script: str, *arguments: str, **settings) -> subprocess.Popen:
        """Start Python on a script's text."""
        process = subprocess.Popen([sys.executable, "-c", script, *arguments], **settings)
        self.started.append(process)
        return process


@pytest.fixture
def machine():
    machine = Machine()
    yield machine
    for process in machine.started:
        process.kill()
        process.communicate()
