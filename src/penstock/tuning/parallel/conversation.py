"""What a process that runs trials and its parent say to each other.

KerasTuner's own protocol (a chief that serves its oracle over gRPC) was not used: it leaves out the error
messages of trials, waits for ever for a worker that has died, and asks again without a pause while
there is nothing to do.
"""

from __future__ import annotations

import pickle
import threading
import traceback
from collections.abc import Mapping
from typing import Any, NamedTuple


class Call(NamedTuple):
    """A worker calls a method of the parent's; it is answered by `Answer`."""

    name: str
    arguments: tuple[Any, ...] = ()
    named: Mapping[str, Any] | None = None


class Answer(NamedTuple):
    """The result of a call, or the exception that it raised."""

    value: Any = None
    error: BaseException | None = None


class Failure(NamedTuple):
    """A worker cannot go on: the exception, and its traceback as text."""

    error: BaseException
    traceback: str


class Done(NamedTuple):
    """A worker has nothing more to do."""


class ParentLine:
    """A worker's line to its parent; calls may be made from any thread.

    Args:
        connection: To the parent.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._calling = threading.Lock()

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        """Call a method of the parent's and return its result, or raise what it raised."""
        with self._calling:
            self._connection.send(Call(name, arguments, named))
            answer: Answer = self._connection.recv()
        if answer.error is not None:
            raise answer.error
        return answer.value

    def fail(self, error: BaseException) -> None:
        """Tell the parent that this worker cannot go on."""
        text = "".join(traceback.format_exception(error))
        try:
            pickle.loads(pickle.dumps(error))  # it may go in and not come out
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        self._connection.send(Failure(error, text))

    def done(self) -> None:
        """Tell the parent that this worker has nothing more to do."""
        self._connection.send(Done())
