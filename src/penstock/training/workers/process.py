"""What each process of a group does: join the others, call `run_fn`, and stay until all are done."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from penstock.progress import telling
from penstock.training.fn_args import FnArgs
from penstock.training.outcome import TrainingResult
from penstock.training.workers.addresses import check_free, wait_for
from penstock.training.workers.failure import Failure
from penstock.training.workers.task import Epoch, Joined, Progress, Task


def serve(connection: Any, task: Task) -> None:
    """Do a task, and answer with `Joined`, `Progress` and `Epoch`, and a `TrainingResult` or a `Failure`.

    The process that is done stays until the other end says so: under several distributions the others
    fail when one of them leaves.

    Args:
        connection: To the process that started the group.
        task: What to do.
    """
    sending = threading.Lock()

    def send(message: object) -> None:
        with sending, contextlib.suppress(OSError):
            connection.send(message)

    _log_to_standard_error()
    try:
        result = _do(task, send)
    except BaseException as error:
        send(Failure.of(error, task.member.name, _from_user_code(error)))
    else:
        if result is not None:
            send(result)
    with contextlib.suppress(EOFError, OSError):
        connection.recv()


def _do(task: Task, send: Callable[[object], None]) -> TrainingResult | None:
    member = task.member
    if member.address:
        check_free(member.address)
    task.staged.fetch_inputs()
    if member.is_chief:
        task.staged.clear_outputs()
    if member.role == "serves":
        _serve_tensorflow(task)
        send(Joined(os.getpid()))
        return None
    fn_args = _fn_args(task)
    if fn_args.working_dir:
        os.makedirs(fn_args.working_dir, exist_ok=True)
    _join(task, fn_args)
    send(Joined(os.getpid()))
    from penstock.training.training_process import train

    def tell(text: str) -> None:
        send(Progress(text))

    def tell_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
        send(Epoch(epoch, dict(metrics)))

    log = logging.getLogger(task.log)
    log.setLevel(logging.INFO if member.is_chief else logging.WARNING)
    with telling(tell, tell_epoch) if member.is_chief else contextlib.nullcontext():
        # User code comes last: some of it is imported with its configuration.
        fn_args.custom_config = task.source.custom_config()
        result = train(task.source.load(), fn_args, log)
    if member.is_chief:
        task.staged.send_outputs()
    return result


def _fn_args(task: Task) -> FnArgs:
    from penstock.training.data_accessor import create_data_accessor

    return dataclasses.replace(
        task.fn_args,
        **task.member.fields,
        data_accessor=create_data_accessor(task.fn_args.file_format, task.fn_args.payload_format),
    )


def _join(task: Task, fn_args: FnArgs) -> None:
    """Import the backend, find the other processes, and settle all that comes before user code."""
    from penstock.training.reproducibility import make_reproducible
    from penstock.training.training_process import prepare_process, use_backend

    use_backend(fn_args.backend)
    for whom, address in task.member.waits_for.items():
        wait_for(address, task.join_seconds, who=task.member.name, whom=whom)
    seed = task.seed if fn_args.seed is None else fn_args.seed
    if fn_args.num_workers > 1 and fn_args.backend == "jax":
        _join_jax(fn_args, task.join_seconds)
    elif fn_args.tf_config is not None:
        # TensorFlow joins when the strategy is made, before its first operation.
        _ = fn_args.strategy
    prepare_process(fn_args)
    make_reproducible(seed, deterministic=fn_args.deterministic, backend=fn_args.backend)


def _join_jax(fn_args: FnArgs, seconds: float) -> None:
    import jax

    with contextlib.suppress(AttributeError):
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        coordinator_address=fn_args.coordinator_address,
        num_processes=fn_args.num_workers,
        process_id=fn_args.worker_index,
        initialization_timeout=max(1, int(seconds)),
    )


_servers: list[Any] = []
"""TensorFlow's servers end when nobody holds them."""


def _serve_tensorflow(task: Task) -> None:
    import tensorflow as tf

    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    server = tf.distribute.Server(
        resolver.cluster_spec(),
        job_name=task.member.job,
        task_index=task.member.index,
        protocol="grpc",
        start=True,
    )
    _servers.append(server)


def _log_to_standard_error() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(handler)
    for name in ("penstock.node", "penstock.training"):
        logging.getLogger(name).setLevel(logging.INFO)


def _from_user_code(error: BaseException) -> TracebackType | None:
    """Return the traceback from what was called last of what is ours here; user code begins there."""
    from penstock.training.training_process import train

    ours = (_do.__code__, train.__code__)
    frames = here = error.__traceback__
    while here is not None and here.tb_next is not None:
        if here.tb_frame.f_code in ours:
            frames = here.tb_next
        here = here.tb_next
    return frames
