from __future__ import annotations

import importlib
import os
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from fault_lab import PROJECT, Site


@pytest.fixture(scope="session")
def nodes() -> ModuleType:
    if str(PROJECT) not in sys.path:
        sys.path.insert(0, str(PROJECT))
    return importlib.import_module("sample_nodes")


@pytest.fixture
def site(tmp_path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def chance() -> random.Random:
    return random.Random(int(os.environ.get("PENSTOCK_FAULT_SEED", "1")))


@pytest.fixture
def small_disk(tmp_path):
    """Make a disk of so many KiB, or skip where mounting is not permitted."""
    mounted: list[str] = []

    def make(name: str, kibibytes: int) -> Path:
        point = tmp_path / name
        point.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(point)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
        mounted.append(str(point))
        return point

    yield make
    for point in mounted:
        subprocess.run(["umount", "-l", point], check=True)
