"""Dynamic batching: requests that wait while a model is busy are computed together."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.server.config import Batching
from penstock.server.errors import InternalError, ResourceExhaustedError, ServingError

_EARLY = 0.25
"""The share of the longest wait from which on new requests are refused.

Those that wait are then answered well before they would be refused themselves, for nothing.
"""

Arrays = Mapping[str, npt.NDArray[Any]]
Run = Callable[[str, Arrays], dict[str, npt.NDArray[Any]]]


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request that waits for its answer."""

    inputs: Arrays
    rows: int
    arrived: float
    answer: asyncio.Future[dict[str, npt.NDArray[Any]]]


class Batcher:
    """Computes the requests of one model version in batches, in threads; used on the event loop.

    Requests join a batch if they are for the same signature and agree in types and in all sizes but the
    first. While threads are free a request is computed at once; what arrives meanwhile is the next batch.
    If a batch fails, its requests are computed one by one, so that a wrong one fails alone.

    Args:
        run: Computes a signature: `run(signature, inputs)`, called in threads.
        executor: The threads.
        settings: The bounds.

    Attributes:
        on_batch: Called with the rows of each batch that is started; None for nobody.
    """

    def __init__(self, run: Run, executor: Executor, settings: Batching) -> None:
        self._run = run
        self._executor = executor
        self._settings = settings
        self._queues: dict[Any, deque[_Waiting]] = {}
        self._queued_rows = 0
        self._running = 0
        self._soon = False
        self._batch_seconds = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_batch: Callable[[int], object] | None = None

    @property
    def queued_rows(self) -> int:
        """The rows that wait."""
        return self._queued_rows

    def check_load(self) -> None:
        """Refuse a request for which there is no hope of an answer in time, before it costs anything.

        A queue that is worked off in a moment is what batches are made of, so what counts is how long its
        first request has waited, and that more wait than are computed next: the measure of CoDel
        (Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012). What is accepted so waits
        about that long, however many come.

        Raises:
            ResourceExhaustedError: If there is none.
        """
        settings = self._settings
        if self._queued_rows < settings.max_rows * settings.threads or self._loop is None:
            return
        first = min(queue[0].arrived for queue in self._queues.values())
        waited = self._loop.time() - first
        # The next batch is never refused for the time that one takes.
        if waited > max(settings.max_queue_time * _EARLY, 2 * self._batch_seconds):
            raise ResourceExhaustedError(
                f"The model is busy: requests wait for {waited:.2f} s already. Try again later."
            )

    async def submit(
        self, signature: str, inputs: Arrays, rows: int | None
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs of a request.

        Args:
            signature: The signature.
            inputs: Its arrays.
            rows: The first size of all of them; None computes the request alone.

        Raises:
            ResourceExhaustedError: If too many rows wait, or the request waited too long.
            ServingError: If the model refuses it or fails.
        """
        loop = self._loop = asyncio.get_running_loop()
        count = rows or 1
        if self._queued_rows and self._queued_rows + count > self._settings.max_queued_rows:
            raise ResourceExhaustedError(
                f"The model is busy: {self._queued_rows} rows wait. Try again later."
            )
        waiting = _Waiting(inputs, count, loop.time(), loop.create_future())
        key = (signature, id(waiting)) if rows is None else (signature, _sizes(inputs))
        self._queues.setdefault(key, deque()).append(waiting)
        self._queued_rows += count
        if not self._soon and self._running < self._settings.threads:
            # After all that is ready now was read: requests of the same moment share a batch.
            self._soon = True
            loop.call_soon(self._start)
        return await waiting.answer

    def _start(self) -> None:
        """Start batches while threads are free."""
        loop = self._loop
        assert loop is not None
        self._soon = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._queues and self._running < self._settings.threads:
            now = loop.time()
            key = self._ready(now)
            if key is None:
                first = min(queue[0].arrived for queue in self._queues.values())
                self._timer = loop.call_at(first + self._settings.max_wait, self._start)
                return
            queue = self._queues[key]
            batch = self._take(queue, now)
            if not queue:
                del self._queues[key]
            if batch:
                self._running += 1
                if self.on_batch is not None:
                    self.on_batch(sum(each.rows for each in batch))
                future = loop.run_in_executor(self._executor, self._compute, key[0], batch)
                future.add_done_callback(functools.partial(self._finish, batch, now))

    def _ready(self, now: float) -> Any:
        """Return the queue that waited longest of those that are full or due; None if none is."""
        for key in sorted(self._queues, key=lambda each: self._queues[each][0].arrived):
            queue = self._queues[key]
            if queue[0].arrived + self._settings.max_wait <= now:
                return key
            if sum(each.rows for each in queue) >= self._settings.max_rows:
                return key
        return None

    def _take(self, queue: deque[_Waiting], now: float) -> list[_Waiting]:
        """Take a batch from a queue; those that waited too long are refused."""
        batch: list[_Waiting] = []
        rows = 0
        while queue and (not batch or rows + queue[0].rows <= self._settings.max_rows):
            waiting = queue.popleft()
            self._queued_rows -= waiting.rows
            if waiting.answer.done():
                continue  # its client has gone
            if now - waiting.arrived > self._settings.max_queue_time:
                waiting.answer.set_exception(
                    ResourceExhaustedError(
                        f"The model is busy: the request waited {now - waiting.arrived:.1f} s. "
                        "Try again later."
                    )
                )
                continue
            batch.append(waiting)
            rows += waiting.rows
        return batch

    def _finish(
        self, batch: Sequence[_Waiting], started: float, done: asyncio.Future[list[Any]]
    ) -> None:
        self._running -= 1
        if self._loop is not None:
            self._batch_seconds += 0.2 * (self._loop.time() - started - self._batch_seconds)
        error = done.exception()
        answers = [error] * len(batch) if error else done.result()
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(answer, BaseException):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)
        self._start()

    def _compute(self, signature: str, batch: Sequence[_Waiting]) -> list[Any]:
        """Return the answer or the error of each request; runs in a thread."""
        if len(batch) == 1:
            return [self._alone(signature, batch[0])]
        names = batch[0].inputs
        try:
            inputs = {name: np.concatenate([each.inputs[name] for each in batch]) for name in names}
            outputs = self._run(signature, inputs)
            rows = sum(each.rows for each in batch)
            if all(array.ndim and len(array) == rows for array in outputs.values()):
                return _split(outputs, [each.rows for each in batch])
        except Exception:  # each request gets its own
            pass
        return [self._alone(signature, each) for each in batch]

    def _alone(self, signature: str, waiting: _Waiting) -> Any:
        limit = self._settings.max_rows
        try:
            if waiting.rows <= limit:
                return self._run(signature, waiting.inputs)
            parts = [
                self._run(
                    signature,
                    {name: array[i : i + limit] for name, array in waiting.inputs.items()},
                )
                for i in range(0, waiting.rows, limit)
            ]
            return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        except ServingError as error:
            return error
        except Exception as error:
            return InternalError(f"The model failed: {type(error).__name__}: {error}")


def _sizes(inputs: Arrays) -> tuple[Any, ...]:
    return tuple((name, inputs[name].shape[1:], inputs[name].dtype.kind) for name in sorted(inputs))


def _split(outputs: Arrays, rows: Sequence[int]) -> list[dict[str, npt.NDArray[Any]]]:
    answers = []
    start = 0
    for count in rows:
        answers.append({name: array[start : start + count] for name, array in outputs.items()})
        start += count
    return answers
