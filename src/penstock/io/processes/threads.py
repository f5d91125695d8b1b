"""Working on items in threads, with results in the items' order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_threads(
    function: Callable[[_Item], _Result],
    items: Iterable[_Item],
    threads: int,
    *,
    waiting: int | None = None,
    name: str = "",
) -> Generator[_Result, None, None]:
    """Yield `function(item)` for each item, in order; threads work on a few items ahead.

    Closing the generator waits for what the threads are working on.

    Args:
        function: Called once per item.
        items: The items. The caller's thread takes them, as they are needed.
        threads: How many threads work; with 0 the caller's thread does, when a result is asked for.
        waiting: How many items may be taken whose results nobody asked for yet; by default two a thread.
        name: What the threads' names begin with.

    Raises:
        Exception: The error of `function` for the first item that it fails on, or of taking the next item.

    Example:
        >>> list(in_threads(os.path.getsize, files, 2))
        [6155773, 6153231]
    """
    if not threads:
        yield from map(function, items)
        return
    most = 2 * threads if waiting is None else waiting
    pending: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(threads, name) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                del item
                if len(pending) > most:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
