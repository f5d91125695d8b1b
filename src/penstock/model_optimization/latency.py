"""How long two models take, measured in turn, so that what else the machine does slows both."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from penstock.model_optimization.callers import Caller

_WARM_UP = 3


@dataclass(frozen=True)
class Latency:
    """Milliseconds of a request.

    Args:
        rows: In a request.
        median: The median.
        p99: The 99th percentile.
        requests: How many were measured.
    """

    rows: int
    median: float
    p99: float
    requests: int


def measure_in_turn(
    callers: Sequence[Caller],
    inputs: Mapping[str, npt.NDArray[Any]],
    rows: int,
    requests: int,
) -> list[Latency]:
    """Return the latency of each model, for requests of so many rows.

    The models take turns, and each round begins with another one. Every request has other rows.

    Args:
        callers: The models.
        inputs: Rows to ask about; they are taken again where there are too few.
        rows: In a request.
        requests: To each model.
    """
    count = len(next(iter(inputs.values())))
    seconds: list[list[float]] = [[] for _ in callers]
    for turn in range(-_WARM_UP, requests):
        places = np.arange(turn * rows, (turn + 1) * rows) % count
        batch = {name: each[places] for name, each in inputs.items()}
        for i in range(len(callers)):
            which = (i + turn) % len(callers)
            started = time.perf_counter()
            callers[which](batch)
            if turn >= 0:
                seconds[which].append(time.perf_counter() - started)
    return [
        Latency(
            rows,
            float(np.median(each)) * 1000,
            float(np.percentile(each, 99)) * 1000,
            requests,
        )
        for each in seconds
    ]
