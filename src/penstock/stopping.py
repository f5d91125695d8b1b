"""Being asked to stop, for work that knows a place where it can go on from later.

Whoever is told that the process must end (a signal handler) calls `ask`. Work inside a `careful` block
looks at `is_asked` from time to time, brings what it has to a safe place, and raises `Stopped`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class Stopped(KeyboardInterrupt):
    """Work ended itself because it was asked to; like an interrupt it passes every `except Exception`."""


class _State:
    asked = False
    careful = 0


@contextlib.contextmanager
def careful() -> Iterator[None]:
    """Promise to look at `is_asked` within the block."""
    _State.careful += 1
    try:
        yield
    finally:
        _State.careful -= 1


def ask() -> bool:
    """Ask the work to stop; return whether it will end itself. If not, interrupt it."""
    _State.asked = True
    return _State.careful > 0


def is_asked() -> bool:
    """Return whether the work is to stop."""
    return _State.asked


@contextlib.contextmanager
def fresh() -> Iterator[None]:
    """Forget after the block that somebody asked within it."""
    try:
        yield
    finally:
        _State.asked = False
