"""The tests of the doctor on JAX and PyTorch: a process has one backend."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FILES = [str(Path(__file__).with_name(name)) for name in ("test_examine.py", "test_callback.py")]


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param("jax", marks=pytest.mark.slow),
        pytest.param("torch", marks=pytest.mark.torch),
    ],
)
def test_the_doctor_on_another_backend(backend):
    pytest.importorskip(backend)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *FILES]
    command += ["-W", "ignore::DeprecationWarning", "-W", "ignore::UserWarning"]
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
