"""An iterator that a thread runs ahead of whoever consumes it."""

from __future__ import annotations

import atexit
import contextlib
import queue
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

_Item = TypeVar("_Item")
_END = object()
_PATIENCE = 10.0
"""Seconds to wait for a thread that was told to end: it finishes the item that it is making."""


def looking_ahead(items: Iterator[_Item], ahead: int = 1) -> Iterator[_Item]:
    """Yield the items of an iterator, which runs in a thread.

    The thread ends with the iterator, when the generator that this returns is closed or collected, or
    when the process ends.

    Args:
        items: The iterator.
        ahead: Items that wait at most; one more is being made.
    """
    reader = _Reader(items, ahead)
    try:
        while True:
            item, error = reader.waiting.get()
            if item is _END:
                if error is not None:
                    raise error
                return
            yield item
            del item
    finally:
        reader.stop()


class _Reader(Generic[_Item]):
    """A thread that puts the items of an iterator into a queue."""

    def __init__(self, items: Iterator[_Item], ahead: int) -> None:
        self.waiting: queue.Queue[Any] = queue.Queue(ahead)
        self._stopped = threading.Event()
        self._items = items
        self._thread = threading.Thread(target=self._run, name="penstock-batches", daemon=True)
        _READERS.add(self)
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and whoever waits for an item."""
        self._stopped.set()
        with contextlib.suppress(queue.Empty):
            self.waiting.get_nowait()
        self._thread.join(_PATIENCE)
        with contextlib.suppress(queue.Full):
            self.waiting.put_nowait((_END, None))

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put((item, None)):
                    return
                del item
            self._put((_END, None))
        except BaseException as error:
            self._put((_END, error))

    def _put(self, item: Any) -> bool:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self.waiting.put(item, timeout=0.1)
                return True
        return False


_READERS: weakref.WeakSet[_Reader[Any]] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """End the threads before Python ends them, which it cannot do well while they are in C++."""
    for reader in list(_READERS):
        reader.stop()
