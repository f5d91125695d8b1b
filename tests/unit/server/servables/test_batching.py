"""Dynamic batching, with functions in the place of models."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from penstock.server.config import Batching
from penstock.server.errors import InvalidArgumentError, ResourceExhaustedError
from penstock.server.servables.batching import Batcher


class Doubler:
    """Doubles `x`, refuses negative values, and can be held."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, signature, inputs):
        self.go.wait(10)
        x = inputs["x"]
        self.sizes.append(len(x))
        if (x < 0).any():
            raise InvalidArgumentError("negative")
        return {"y": x * 2}


def in_batches(doubler, steps, **settings):
    """Run steps with a batcher of one thread."""

    async def run():
        with ThreadPoolExecutor(1) as executor:
            return await steps(Batcher(doubler, executor, Batching(threads=1, **settings)))

    return asyncio.run(run())


def rows(*values):
    return {"x": np.array(values, dtype=np.float64)}


def test_requests_that_wait_are_one_batch_and_get_their_own_rows():
    doubler = Doubler()
    doubler.go.clear()

    async def steps(batcher):
        first = asyncio.create_task(batcher.submit("s", rows(0), 1))
        await asyncio.sleep(0.01)
        rest = [asyncio.create_task(batcher.submit("s", rows(i, i), 2)) for i in range(1, 5)]
        await asyncio.sleep(0.01)
        assert batcher.queued_rows == 8
        doubler.go.set()
        return await asyncio.gather(first, *rest)

    answers = in_batches(doubler, steps)
    assert doubler.sizes == [1, 8]
    assert [each["y"].tolist() for each in answers] == [[0], [2, 2], [4, 4], [6, 6], [8, 8]]


def test_a_batch_is_bounded_and_a_large_request_is_computed_in_parts():
    doubler = Doubler()

    async def steps(batcher):
        small = [batcher.submit("s", rows(i), 1) for i in range(5)]
        return await asyncio.gather(*small, batcher.submit("s", rows(*range(5)), 5))

    answers = in_batches(doubler, steps, max_rows=2)
    assert max(doubler.sizes) == 2
    assert answers[-1]["y"].tolist() == [0, 2, 4, 6, 8]


def test_a_wrong_request_fails_alone():
    async def steps(batcher):
        values = [1, -1, 2]
        return await asyncio.gather(
            *(batcher.submit("s", rows(each), 1) for each in values), return_exceptions=True
        )

    first, wrong, last = in_batches(Doubler(), steps)
    assert isinstance(wrong, InvalidArgumentError)
    assert (first["y"].tolist(), last["y"].tolist()) == ([2], [4])


def test_other_sizes_and_other_signatures_are_other_batches():
    doubler = Doubler()

    async def steps(batcher):
        wide = {"x": np.ones((2, 3))}
        requests = [batcher.submit("s", rows(1), 1), batcher.submit("t", rows(1), 1)]
        return await asyncio.gather(
            *requests, batcher.submit("s", wide, 2), batcher.submit("s", wide, None)
        )

    assert [each["y"].shape for each in in_batches(doubler, steps)] == [(1,), (1,), (2, 3), (2, 3)]
    assert len(doubler.sizes) == 4


def test_what_is_beyond_the_queue_or_waits_too_long_is_refused():
    doubler = Doubler()
    doubler.go.clear()

    async def steps(batcher):
        first = asyncio.create_task(batcher.submit("s", rows(0), 1))
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(batcher.submit("s", rows(1, 1), 2))
        await asyncio.sleep(0.01)
        with pytest.raises(ResourceExhaustedError, match="2 rows wait"):
            await batcher.submit("s", rows(2, 2), 2)
        await asyncio.sleep(0.1)
        doubler.go.set()
        await first
        with pytest.raises(ResourceExhaustedError, match=r"waited 0\.1 s"):
            await waiting
        assert batcher.queued_rows == 0

    in_batches(doubler, steps, max_queued_rows=3, max_queue_time=0.05)


def test_a_batch_may_wait_for_more_rows():
    doubler = Doubler()

    async def steps(batcher):
        first = asyncio.create_task(batcher.submit("s", rows(0), 1))
        await asyncio.sleep(0.02)
        assert doubler.sizes == []
        await asyncio.gather(first, batcher.submit("s", rows(1, 2, 3), 3))

    in_batches(doubler, steps, max_wait=30, max_rows=4)
    assert doubler.sizes == [4]


def test_a_client_that_has_gone_costs_nothing():
    doubler = Doubler()
    doubler.go.clear()

    async def steps(batcher):
        first = asyncio.create_task(batcher.submit("s", rows(0), 1))
        await asyncio.sleep(0.01)
        gone = asyncio.create_task(batcher.submit("s", rows(1), 1))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0.01)
        doubler.go.set()
        await first

    in_batches(doubler, steps)
    assert doubler.sizes == [1]


def test_new_requests_are_refused_when_those_before_them_waited_too_long():
    doubler = Doubler()
    doubler.go.clear()

    async def steps(batcher):
        batcher.check_load()  # nothing was asked yet
        first = asyncio.create_task(batcher.submit("s", rows(0), 1))
        await asyncio.sleep(0.01)
        waiting = [asyncio.create_task(batcher.submit("s", rows(1), 1))]
        await asyncio.sleep(0.2)
        batcher.check_load()  # what waits is less than a batch, however long it waits
        waiting.append(asyncio.create_task(batcher.submit("s", rows(2), 1)))
        await asyncio.sleep(0.01)
        with pytest.raises(ResourceExhaustedError, match=r"requests wait for 0\.\d\d s already"):
            batcher.check_load()
        doubler.go.set()
        await asyncio.gather(first, *waiting)
        batcher.check_load()

    in_batches(doubler, steps, max_rows=2, max_queue_time=0.4)
