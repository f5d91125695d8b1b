"""What tests of several rooms share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest

REQUIREMENTS = ["ml-metadata==1.17.1", "protobuf>=4.21.6,<5"]


def pytest_configure() -> None:
    """Lets processes be interrupted, also where a shell runs the tests in the background."""
    # Such a shell ignores SIGINT in its jobs, and whatever they start would ignore it as well.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def client_python() -> str:
    """Python of a virtual environment with ML Metadata's client, made once a machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock-test"
    home = cache / f"mlmd-{sys.version_info[0]}.{sys.version_info[1]}"
    python = home / "bin" / "python"
    ready = home / "ready"
    if not ready.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        venv.create(home, with_pip=True, clear=True)
        installed = subprocess.run(
            [python, "-m", "pip", "install", "-q", *REQUIREMENTS],
            capture_output=True,
            text=True,
            timeout=600,
        )
        if installed.returncode:
            pytest.skip(f"ml-metadata does not install here: {installed.stderr.strip()[-300:]}")
        ready.touch()
    return str(python)
