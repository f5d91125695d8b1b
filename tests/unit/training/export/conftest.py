"""Another process, started once, in which exported models are loaded."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest


class Elsewhere:
    """Calls the functions of elsewhere.py in its process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(Path(__file__).with_name("elsewhere.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def __call__(self, name, *arguments):
        pickle.dump((name, arguments), self._process.stdin)
        self._process.stdin.flush()
        result = pickle.load(self._process.stdout)
        if isinstance(result, RuntimeError):
            raise result
        return result

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def elsewhere():
    process = Elsewhere()
    yield process
    process.close()
