"""Shadows: versions that get copies of requests, whose answers are measured and logged, never given."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from penstock.server.errors import ServingError
from penstock.server.servables.servable import Servable
from penstock.server.servables.servables import Servables
from penstock.server.traffic import Target

if TYPE_CHECKING:
    from penstock.server.divided import Asked, DividedServables

LOG = logging.getLogger("penstock.server")

Arrays = Mapping[str, npt.NDArray[Any]]

_MOST = 64


class Shadows:
    """Asks shadows; used on the event loop.

    They are computed in a thread of their own with low priority, so that they take no thread from requests.

    Args:
        servables: The models.
    """

    def __init__(self, servables: DividedServables) -> None:
        self._servables = servables
        self._asking: set[asyncio.Task[None]] = set()
        self._thread = ThreadPoolExecutor(1, "penstock-shadow", _yield_to_others)
        self._beside: WeakKeyDictionary[Servable, Servable] = WeakKeyDictionary()

    def ask(
        self,
        asked: Asked,
        targets: Sequence[Target],
        signature: str,
        inputs: Arrays,
        outputs: Arrays,
    ) -> None:
        """Send a copy of an answered request to versions.

        Args:
            asked: Who answered it.
            targets: The versions.
            signature: The signature that was asked.
            inputs: The request.
            outputs: Its answer.
        """
        for target in targets:
            if len(self._asking) >= _MOST:
                failures = self._servables.measures.shadow_failures
                failures.labels(asked.name, str(target), "BUSY").inc()
                continue
            task = asyncio.get_running_loop().create_task(
                self._ask(asked, target, signature, inputs, outputs)
            )
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask(
        self, asked: Asked, target: Target, signature: str, inputs: Arrays, outputs: Arrays
    ) -> None:
        servables = self._servables
        name, shadow = asked.name, str(target)
        began = time.monotonic()
        try:
            with Servables.get(servables, name, target.version, target.label) as servable:
                beside = self._beside.get(servable)
                if beside is None:
                    beside = self._beside[servable] = servable.beside(self._thread)
                answer = await beside.predict(signature, inputs)
                servables.log(
                    asked, servable, signature, inputs, answer, label=target.label, shadow=True
                )
            seconds = time.monotonic() - began
            loop = asyncio.get_running_loop()
            agree, rows = await loop.run_in_executor(self._thread, agreement, outputs, answer)
        except ServingError as error:
            servables.measures.shadow_failures.labels(name, shadow, error.code).inc()
            return
        except Exception:
            LOG.exception("%s: the shadow %s failed", name, shadow)
            servables.measures.shadow_failures.labels(name, shadow, "INTERNAL").inc()
            return
        servables.measures.shadow_seconds.labels(name, shadow).observe(seconds)
        servables.measures.shadow_rows.labels(name, shadow, "true").inc(agree)
        servables.measures.shadow_rows.labels(name, shadow, "false").inc(rows - agree)

    async def close(self) -> None:
        """Wait for those that are asked."""
        await asyncio.gather(*self._asking, return_exceptions=True)
        self._thread.shutdown()


def _yield_to_others() -> None:
    """Let the processors prefer all other threads, where a thread has a priority of its own."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def agreement(outputs: Arrays, shadow: Arrays) -> tuple[int, int]:
    """Return in how many rows two answers agree, and the number of rows.

    Floats agree if they are within 0.001 of each other, relatively or absolutely.
    """
    rows = max((len(array) for array in outputs.values() if array.ndim), default=1)
    agree = np.ones(rows, dtype=bool)
    for name, array in outputs.items():
        other = shadow.get(name)
        if other is None or other.shape != array.shape:
            return 0, rows
        if array.dtype.kind in "fcV" and other.dtype.kind in "fcV":
            wide = np.complex128 if array.dtype.kind == "c" else np.float64
            same = np.isclose(
                array.astype(wide), other.astype(wide), rtol=1e-3, atol=1e-3, equal_nan=True
            )
        else:
            same = np.asarray(array == other)
        if array.ndim and len(array) == rows:
            agree &= same.all(axis=tuple(range(1, same.ndim)))
        else:
            agree &= bool(same.all())
    return int(agree.sum()), rows
