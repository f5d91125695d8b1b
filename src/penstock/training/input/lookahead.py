"""An iterator that a thread runs ahead of whoever consumes it."""

from __future__ import annotations

import atexit
import contextlib
import queue
import threading
import time
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


def ending_with_python(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield the items of an iterator to a library's thread, and none any more once the process ends.

    The end of the process waits for an item that is being made: the library would wait for its thread,
    and that for Python, which is gone.

    Args:
        items: The iterator.
    """
    token = object()
    while not _ENDING.is_set():
        _BEING_MADE.add(token)
        try:
            item = next(items)
        except StopIteration:
            return
        finally:
            _BEING_MADE.discard(token)
        yield item
        del item


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
_BEING_MADE: set[object] = set()
_ENDING = threading.Event()
_LEAVING = 0.1
"""Seconds in which a thread that got its last item is back in its library."""


@atexit.register
def _stop_all() -> None:
    """End the threads before Python ends them, which it cannot do well while they are in C++."""
    _ENDING.set()
    is_waited_for = bool(_BEING_MADE)
    for reader in list(_READERS):
        reader.stop()
    until = time.monotonic() + _PATIENCE
    while _BEING_MADE and time.monotonic() < until:
        time.sleep(0.005)
    if is_waited_for:
        time.sleep(_LEAVING)
