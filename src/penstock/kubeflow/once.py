"""Making something on a server exactly once, although an answer may be lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from penstock.kubeflow.errors import NameTaken
from penstock.kubeflow.transport import Unanswered

Made = TypeVar("Made")

_TRIES = 4
_LOOKS_SECONDS = (0.5, 1.5, 3.0)
"""A request whose answer was lost may still be at work: how long to wait before each look."""


def make_once(
    create: Callable[[], Made],
    find: Callable[[], Sequence[Made]],
    remove: Callable[[Made], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Made:
    """Return what `create` makes; where its answer was lost, look for it before making it again.

    Args:
        create: Sends the request.
        find: Returns what is there already, the oldest first.
        remove: Takes back one that was made twice after all, because the first request was only slow.
        sleep: Waits; for tests.

    Raises:
        KubeflowError: If it cannot be made.
    """
    repeated = False
    for number in range(1, _TRIES + 1):
        try:
            made = create()
            break
        except NameTaken:
            found = find()
            if not found:
                raise
            return found[0]
        except Unanswered as error:
            for seconds in _LOOKS_SECONDS:
                sleep(seconds)
                found = find()
                if found:
                    return found[0]
            if number == _TRIES:
                raise error.__cause__ or error from None
            repeated = True
    if not repeated:
        return made
    first, *rest = find() or [made]
    for each in rest:
        if remove is not None:
            remove(each)
    return first
