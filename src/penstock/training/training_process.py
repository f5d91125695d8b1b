"""What a process does that trains: what is settled before user code runs, and calling `run_fn`."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from penstock.training.declared import check_batch_size
from penstock.training.distribution import use_devices
from penstock.training.fn_args import FnArgs
from penstock.training.history import history_of
from penstock.training.outcome import TrainingResult
from penstock.training.reproducibility import forget_layers, set_precision
from penstock.training.user_functions import place_of, user_function


def prepare_process(fn_args: FnArgs) -> None:
    """Settle backend, devices and precision, before user code is imported.

    Raises:
        RuntimeError: If this process has imported Keras with another backend.
    """
    use_backend(fn_args.backend)
    if fn_args.num_workers == 1:
        use_devices(fn_args.distribution)
    forget_layers()
    set_precision(fn_args.precision)


def use_backend(backend: str) -> None:
    """Make Keras run on a backend in this process.

    Raises:
        RuntimeError: If Keras was imported with another one: it cannot be changed.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    import keras

    if keras.backend.backend() != backend:
        raise RuntimeError(
            f"backend={backend!r} was declared, but this process has imported Keras with the backend "
            f"{keras.backend.backend()!r}, which cannot be changed. Remove KERAS_BACKEND from the "
            "environment and the backend from ~/.keras/keras.json, and do not import keras before the "
            "run."
        )


def train(source: Any, fn_args: FnArgs, log: logging.Logger) -> TrainingResult:
    """Call `run_fn` and return how it ended.

    Args:
        source: The module that defines it, or the function.
        fn_args: Its argument.
        log: Is told what it runs on.

    Raises:
        UserFunctionError: If there is no such function of one argument.
        ValueError: If the batch size does not divide by the replicas.
    """
    run_fn = user_function(source, "run_fn")
    check_batch_size(fn_args.global_batch_size, fn_args.num_replicas)
    log.info(
        "distribution %s on %s: %d replicas, precision %s",
        fn_args.distribution,
        fn_args.backend,
        fn_args.num_replicas,
        fn_args.precision,
    )
    history, left_out = history_of(run_fn(fn_args))
    return TrainingResult(history, left_out, place_of(run_fn), fn_args.num_replicas)
