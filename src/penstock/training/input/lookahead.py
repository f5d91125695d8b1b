"""An iterator that a thread runs ahead of whoever consumes it."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_END = object()


def looking_ahead(items: Iterator[_Item], ahead: int = 1) -> Iterator[_Item]:
    """Yield the items of an iterator, which runs in a thread.

    The thread ends with the iterator, or when the generator that this returns is closed or collected.

    Args:
        items: The iterator.
        ahead: Items that wait at most; one more is being made.
    """
    waiting: queue.Queue[Any] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(item, timeout=0.1)
                return True
        return False

    def run() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    return
                del item
            put((_END, None))
        except BaseException as error:
            put((_END, error))

    thread = threading.Thread(target=run, name="penstock-batches", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if item is _END:
                if error is not None:
                    raise error
                return
            yield item
            del item
    finally:
        stopped.set()
        with contextlib.suppress(queue.Empty):
            waiting.get_nowait()
        thread.join(timeout=10)
