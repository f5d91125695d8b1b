"""Progress of long work: reported where it is done, to the observer of the attempt.

What does the work calls `report`, and `report_epoch` after each epoch of training; what executes an attempt
listens. Where nobody does, a report costs one comparison.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

Listener = Callable[[str], None]
"""Called with the progress, such as "3 of 10 epochs"."""

EpochListener = Callable[[int, Mapping[str, float]], None]
"""Called with the number of an epoch, from 1, and its metrics."""

_SECONDS_BETWEEN = 0.2


class _Telling:
    """Who is told, and when next; a process executes one attempt at a time."""

    def __init__(self) -> None:
        self.listener: Listener | None = None
        self.epochs: EpochListener | None = None
        self.due = 0.0
        self.stage = ""
        self.reported: dict[int, Mapping[str, float]] = {}


_telling = _Telling()


@contextlib.contextmanager
def telling(listener: Listener | None, epochs: EpochListener | None = None) -> Iterator[None]:
    """Pass reports within the block on to listeners, which may be called from any thread.

    Args:
        listener: Is told how far the work is, at most five times a second.
        epochs: Is told of each epoch of training.
    """
    before = _telling.listener, _telling.epochs, _telling.reported
    _telling.listener, _telling.epochs, _telling.reported = listener, epochs, {}
    _telling.due = 0.0
    try:
        yield
    finally:
        _telling.listener, _telling.epochs, _telling.reported = before


@contextlib.contextmanager
def stage(text: str) -> Iterator[None]:
    """Set a text before all reports within the block, such as "trial 3 of 20".

    Epochs within it are those of a part, not of the whole: they are not passed on.
    """
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
    if _telling.listener is None or (done != total and not is_due()):
        return
    tell(describe(done, total, unit) + (f", {detail}" if detail else ""))


def is_due() -> bool:
    """Return whether somebody listens and was not told just now; ask before a costly text is made."""
    return _telling.listener is not None and time.monotonic() >= _telling.due


def report_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
    """Report the metrics of an epoch of training; the store keeps them while the node runs.

    An epoch that is reported again, as after going on from a checkpoint, replaces what was reported.

    Args:
        epoch: Its number, from 1.
        metrics: Numbers by name, also NaN or infinite ones; those of validation with `val_` before
            their names, as Keras has them.

    Raises:
        ValueError: If the epoch is less than 1.
        TypeError: If a value is not a number.

    Example:
        >>> report_epoch(3, {"loss": 0.412, "val_loss": 0.465})
    """
    listener = _telling.epochs
    if listener is None:
        return
    if epoch < 1:
        raise ValueError(f"epochs are counted from 1. Received: {epoch!r}")
    values = {str(name): float(value) for name, value in metrics.items()}
    if not _telling.stage:
        _telling.reported[int(epoch)] = values
        listener(int(epoch), values)


def reported_epochs() -> dict[int, Mapping[str, float]]:
    """Return the epochs that were reported to the listener at hand: metrics by number."""
    return dict(_telling.reported)


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
