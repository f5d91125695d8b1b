"""How a Trainer or Tuner declares that it trains, and which of it goes together.

Everything here is checked when a pipeline is defined or before it runs: nothing is imported.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.installation import install_command
from penstock.spelling import nearest

BACKENDS = ("tensorflow", "jax", "torch")
DOCTOR = ("warn", "error", "off")


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a distribution runs on.

    Attributes:
        backends: The backends that it works with.
        several: Whether it may run in several processes.
        parameter_servers: Whether some of them hold the parameters.
        trains_alone: Whether one worker alone can train.
    """

    backends: tuple[str, ...] = ("tensorflow",)
    several: bool = False
    parameter_servers: bool = False
    trains_alone: bool = True


DISTRIBUTIONS = {
    "none": Distribution(BACKENDS),
    "mirrored": Distribution(),
    "multi_worker": Distribution(several=True, trains_alone=False),
    "parameter_server": Distribution(several=True, parameter_servers=True),
    "tpu": Distribution(),
    "data_parallel": Distribution(("jax",), several=True),
}


def trains_here(distribution: str, backend: str) -> bool:
    """Return whether the process of an attempt trains itself; else it starts processes that do.

    TensorFlow in one process trains where the attempt is; everything else needs a process that
    nothing has been imported into.
    """
    return backend == "tensorflow" and not DISTRIBUTIONS[distribution].several


def check_distribution(name: str, known: Sequence[str] = tuple(DISTRIBUTIONS)) -> None:
    """Raise a `ValueError` if `name` is not a distribution."""
    _one_of("distribution", name, known)


def check_declared(
    distribution: str, backend: str, jit_compile: bool | None = None, doctor: str = "warn"
) -> None:
    """Raise if a name is unknown, or if what was declared does not go together.

    Args:
        distribution: One of `DISTRIBUTIONS`.
        backend: One of `BACKENDS`.
        jit_compile: Whether the model is compiled by XLA; None leaves it to Keras.
        doctor: One of `DOCTOR`.

    Raises:
        ValueError: It says what was given and what works.
        TypeError: If `jit_compile` is neither None nor a bool.
    """
    check_distribution(distribution)
    _one_of("backend", backend, BACKENDS)
    check_mode(doctor)
    if jit_compile is not None and not isinstance(jit_compile, bool):
        raise TypeError(f"jit_compile must be None, True or False. Received: {jit_compile!r}")
    if backend in (works := DISTRIBUTIONS[distribution].backends):
        return
    fitting = [name for name, each in DISTRIBUTIONS.items() if backend in each.backends]
    why = (
        " On TensorFlow Keras's DataParallel runs on one device without a word."
        if (distribution, backend) == ("data_parallel", "tensorflow")
        else ""
    )
    raise ValueError(
        f"distribution={distribution!r} works with backend={works[0]!r}.{why} "
        f"Received: backend={backend!r}, which works with distribution "
        f"{' or '.join(map(repr, fitting))}."
    )


def check_mode(doctor: object) -> None:
    """Raise a `ValueError` if `doctor` is not one of `DOCTOR`."""
    _one_of("doctor", doctor, DOCTOR)


def check_processes(
    distribution: str, replicas: int, parameter_servers: int, batch_size: int = 0
) -> None:
    """Raise a `ValueError` if a distribution cannot run in as many processes.

    Args:
        distribution: One of `DISTRIBUTIONS`.
        replicas: `Resources.replicas`.
        parameter_servers: `Resources.parameter_servers`.
        batch_size: The global batch size in rows; 0 if the module decides.
    """
    kind = DISTRIBUTIONS[distribution]
    if replicas > 1 and not kind.several:
        several = [name for name, each in DISTRIBUTIONS.items() if each.several]
        more = " Its replicas are the devices that this process sees." * (
            distribution in ("mirrored", "tpu")
        )
        raise ValueError(
            f"distribution={distribution!r} runs in one process.{more} Several processes take "
            f"distribution {', '.join(map(repr, several[:-1]))} or {several[-1]!r}. "
            f"Received: Resources(replicas={replicas})"
        )
    if parameter_servers and not kind.parameter_servers:
        raise ValueError(
            f"distribution={distribution!r} has no parameter servers; 'parameter_server' has. "
            f"Received: Resources(parameter_servers={parameter_servers})"
        )
    if kind.parameter_servers and not parameter_servers:
        raise ValueError(
            f"distribution={distribution!r} needs processes that hold the parameters and that compute, "
            "such as .with_resources(replicas=2, parameter_servers=1). "
            f"Received: replicas={replicas}, parameter_servers={parameter_servers}"
        )
    if replicas < 2 and not kind.trains_alone:
        raise ValueError(
            f"distribution={distribution!r} needs two or more processes, such as "
            f".with_resources(replicas=2). Received: replicas={replicas}"
        )
    check_batch_size(batch_size, replicas)


def check_batch_size(batch_size: int | None, replicas: int) -> None:
    """Raise a `ValueError` if a global batch does not divide by the replicas."""
    if batch_size and batch_size % replicas:
        low = batch_size - batch_size % replicas
        near = " or ".join(str(each) for each in (low, low + replicas) if each)
        raise ValueError(
            f"TrainArgs.batch_size is the number of rows of a step on all replicas together, and must "
            f"divide by them. Received: batch_size={batch_size} for {replicas} replicas. "
            f"Use {near}."
        )


def require_backend(backend: str) -> None:
    """Raise an `ImportError` if a backend is not installed; it names what to install."""
    if importlib.util.find_spec(backend) is None:
        raise ImportError(
            f"backend={backend!r} needs {_PACKAGE[backend]}, which is not installed. "
            f"Install it: {install_command('run' if backend == 'tensorflow' else backend)}",
            name=backend,
        )


_PACKAGE = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def _one_of(argument: str, name: Any, known: Sequence[str]) -> None:
    if name not in known:
        hint = nearest(str(name), known)
        raise ValueError(f"{argument} must be one of {list(known)}. Received: {name!r}.{hint}")
