"""What tests of several rooms share."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Lets processes be interrupted, also where a shell runs the tests in the background."""
    # Such a shell ignores SIGINT in its jobs, and whatever they start would ignore it as well.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def python_with() -> Callable[..., str]:
    """Return the Python of a virtual environment with packages, made once a machine.

    `python_with(name, *requirements)` skips the test where they cannot be installed.
    """

    def make(name: str, *requirements: str) -> str:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock-test"
        cache.mkdir(parents=True, exist_ok=True)
        home = cache / f"{name}-{sys.version_info[0]}.{sys.version_info[1]}"
        python = home / "bin" / "python"
        ready = home / "ready"
        with open(f"{home}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # tests in another process may want it, too
            if not ready.exists():
                venv.create(home, with_pip=True, clear=True)
                installed = subprocess.run(
                    [python, "-m", "pip", "install", "-q", *requirements],
                    capture_output=True,
                    text=True,
                    timeout=900,
                )
                if installed.returncode:
                    pytest.skip(f"{name} does not install here: {installed.stderr.strip()[-300:]}")
                ready.touch()
        return str(python)

    return make


@pytest.fixture(scope="session")
def client_python(python_with: Callable[..., str]) -> str:
    """Python with ML Metadata's client."""
    return python_with("mlmd", "ml-metadata==1.17.1", "protobuf>=4.21.6,<5")
