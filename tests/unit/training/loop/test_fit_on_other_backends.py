"""The tests of `fit` and of the layers on JAX and PyTorch: a process has one backend."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FILES = [
    str(Path(__file__).with_name("test_fit.py")),
    str(Path(__file__).parent.parent / "checkpoints" / "test_resuming.py"),
    str(Path(__file__).parent.parent / "layers"),
]


QUICK = "several_inputs or dropout_norm or moment or (goes_on_there and 3-1) or in_validation"


@pytest.mark.parametrize(
    ("backend", "tests"),
    [
        pytest.param("jax", QUICK, marks=pytest.mark.processes),
        pytest.param("jax", "test", marks=pytest.mark.slow),
        pytest.param("torch", "test", marks=pytest.mark.torch),
    ],
)
def test_fit_on_another_backend(backend, tests):
    pytest.importorskip(backend)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", tests, *FILES]
    command += ["-m", "not slow", "-W", "ignore::DeprecationWarning", "-W", "ignore::UserWarning"]
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
