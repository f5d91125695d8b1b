"""Progress of long work: reported where it is done, to the observer of the attempt.

What does the work calls `report`; what executes an attempt listens. Where nobody does, a report costs one
comparison.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

Listener = Callable[[str], None]
"""Called with the progress, such as "3 of 10 epochs"."""

_SECONDS_BETWEEN = 0.2


class _Telling:
    """Who is told, and when next; a process executes one attempt at a time."""

    listener: Listener | None = None
    due = 0.0
    stage = ""


_telling = _Telling()


@contextlib.contextmanager
def telling(listener: Listener | None) -> Iterator[None]:
    """Pass reports within the block on to a listener, at most five times a second.

    The listener may be called from any thread.
    """
    before = _telling.listener
    _telling.listener, _telling.due = listener, 0.0
    try:
        yield
    finally:
        _telling.listener = before


@contextlib.contextmanager
def stage(text: str) -> Iterator[None]:
    """Set a text before all reports within the block, such as "trial 3 of 20"."""
    before = _telling.stage
    _telling.stage = f"{before}{text}, "
    try:
        tell("")
        yield
    finally:
        _telling.stage = before


def report(done: float, total: float | None = None, unit: str = "rows", detail: str = "") -> None:
    """Report how far the work is.

    Args:
        done: How much is done.
        total: How much there is to do; None where that is not known.
        unit: What is counted, in the plural.
        detail: What else there is to say, such as "batch 20 of 400".

    Example:
        >>> report(3, 10, "epochs")
        >>> report(52_000)
    """
    if _telling.listener is None or (done != total and time.monotonic() < _telling.due):
        return
    tell(describe(done, total, unit) + (f", {detail}" if detail else ""))


def tell(text: str) -> None:
    """Tells a text after that of the stage, now."""
    listener = _telling.listener
    if listener is not None:
        _telling.due = time.monotonic() + _SECONDS_BETWEEN
        listener((_telling.stage + text).removesuffix(", "))


def describe(done: float, total: float | None, unit: str) -> str:
    """Return how far work is in words.

    Example:
        >>> describe(3, 10, "epochs"), describe(52_000, None, "rows")
        ('3 of 10 epochs', '52,000 rows')
    """
    return f"{done:,} {unit}" if total is None else f"{done:,} of {total:,} {unit}"


def at_most_every(seconds: float, listener: Listener) -> Listener:
    """Return a listener that passes on only so often, the first time after that span."""
    due = time.monotonic() + seconds

    def listen(text: str) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + seconds
            listener(text)

    return listen
