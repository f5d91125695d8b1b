"""Working on shards in several processes, with results that do not depend on how many there are.

Helper processes are started afresh (never forked, and without the caller's `__main__`); each takes a
pickled function and then one shard after another. The calling process works too. A helper ends when
its pipe does, so none outlives the caller.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import IO, Any, TypeVar

_Shard = TypeVar("_Shard")
_Result = TypeVar("_Result")

# Results that wait for an earlier one, for each process.
_AHEAD = 2
_START = (
    "import sys; sys.path[:] = {path!r}; from penstock.io.shard_processes import serve; serve()"
)


class ShardProcessError(RuntimeError):
    """A helper process died; the message says at which shard and how."""


class _CannotPickleError(Exception):
    """A function or a result does not fit through a pipe."""


def usable_processes(shards: int) -> int:
    """Returns how many processes `shards` shards can occupy here: at most one a usable core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(shards, cores or 1))


def map_shards(
    function: Callable[[_Shard], _Result],
    shards: Sequence[_Shard],
    *,
    processes: int | None = None,
) -> Iterator[_Result]:
    """Yields `function(shard)` for each shard, in the shards' order.

    What cannot be pickled (a function of `__main__`, say) is worked on by the calling process alone.

    Args:
        function: Called once a shard; it must not rely on being called in this process.
        shards: What to work on, each picklable.
        processes: How many processes work, the calling one among them; by default one a core.

    Raises:
        ShardProcessError: If a helper process dies.
        Exception: Whatever `function` raises, for the first shard that it fails on.

    Example:
        >>> list(map_shards(os.path.getsize, files))
        [6155773, 6153231]
    """
    wanted = usable_processes(len(shards)) if processes is None else min(processes, len(shards))
    try:
        task = pickle.dumps((function, list(shards))) if wanted > 1 else b""
    except (pickle.PicklingError, AttributeError, TypeError):
        wanted = 1
    if wanted <= 1:
        yield from map(function, shards)
        return
    with _Helpers(task, len(shards), wanted - 1) as helpers:
        for number in range(len(shards)):
            while not helpers.has(number):
                mine = helpers.take(number)
                if mine is None:
                    break
                helpers.settle(mine, function, shards[mine])
            try:
                yield helpers.result(number)
            except _CannotPickleError:
                yield function(shards[number])


class _Helpers:
    """The helper processes, a thread each, and the shards that they and the caller share."""

    def __init__(self, task: bytes, shards: int, count: int) -> None:
        self._futures: list[Future[Any]] = [Future() for _ in range(shards)]
        self._untaken = list(range(shards))
        self._wanted = 0  # the shard that the caller waits for
        self._ahead = _AHEAD * (count + 1)
        self._changed = threading.Condition()
        self._closed = False
        self._processes = [_start() for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._feed, args=(process, task), daemon=True)
            for process in self._processes
        ]
        for thread in self._threads:
            thread.start()

    def has(self, number: int) -> bool:
        return self._futures[number].done()

    def result(self, number: int) -> Any:
        try:
            return self._futures[number].result()
        finally:
            self._futures[number] = Future()  # lets go of the result

    def take(self, wanted: int) -> int | None:
        """Gives the caller, who waits for `wanted`, a shard; None if there is none to be had."""
        with self._changed:
            self._wanted = wanted
            self._changed.notify_all()
            near = self._untaken and self._untaken[0] < wanted + self._ahead
            return self._untaken.pop(0) if near else None

    def _take_for_helper(self) -> int | None:
        with self._changed:
            while self._untaken and not self._closed:
                if self._untaken[0] < self._wanted + self._ahead:
                    return self._untaken.pop(0)
                self._changed.wait()
        return None

    def settle(self, number: int, function: Callable[[Any], Any], shard: Any) -> None:
        try:
            self._futures[number].set_result(function(shard))
        except Exception as error:
            self._futures[number].set_exception(error)

    def _feed(self, process: subprocess.Popen[bytes], task: bytes) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        number: int | None = None
        try:
            _send(process.stdin, task)
            if not _receive(process.stdout):
                return  # it cannot load the function: the others do its part
            while (number := self._take_for_helper()) is not None:
                _send(process.stdin, pickle.dumps(number))
                succeeded, answer = _receive(process.stdout)
                if succeeded:
                    self._futures[number].set_result(answer)
                else:
                    self._futures[number].set_exception(answer)
        except Exception as error:
            if number is None:
                return  # it died while it started: the others do its part
            if isinstance(error, (OSError, EOFError)):
                died = ShardProcessError(
                    f"The process that worked on shard {number} died with exit status "
                    f"{process.wait()} (-9 is SIGKILL, perhaps for want of memory)."
                )
                died.__cause__ = error
                error = died
            self._futures[number].set_exception(error)

    def __enter__(self) -> _Helpers:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for process in self._processes:
            process.kill()
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close(pipe)


def _start() -> subprocess.Popen[bytes]:
    command = _START.format(path=[os.path.abspath(place) for place in sys.path])
    return subprocess.Popen(
        [sys.executable, "-P", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def _close(pipe: IO[bytes]) -> None:
    with contextlib.suppress(BrokenPipeError):  # what was not sent was for a process that is gone
        pipe.close()


def _send(pipe: IO[bytes], message: bytes) -> None:
    pipe.write(len(message).to_bytes(8, "little"))
    pipe.write(message)
    pipe.flush()


def _read_message(pipe: IO[bytes]) -> bytes:
    size = pipe.read(8)
    message = pipe.read(int.from_bytes(size, "little"))
    if len(size) < 8 or len(message) < int.from_bytes(size, "little"):
        raise EOFError("the pipe ended")
    return message


def _receive(pipe: IO[bytes]) -> Any:
    return pickle.loads(_read_message(pipe))


def serve() -> None:
    """Works as a helper process: reads a task and shard numbers, writes results."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller's Ctrl-C: it ends this process
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed must not get between the answers
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(messages,), daemon=True).start()
    try:
        function, shards = pickle.loads(messages.get())
    except Exception:
        _send(answers, pickle.dumps(False))
        return
    _send(answers, pickle.dumps(True))
    while True:
        _send(answers, _answer(function, shards[pickle.loads(messages.get())]))


def _listen(messages: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            messages.put(_read_message(sys.stdin.buffer))
    except EOFError:
        os._exit(0)  # the caller is gone: nobody wants what is being worked on


def _answer(function: Callable[[Any], Any], shard: Any) -> bytes:
    try:
        answer = (True, function(shard))
    except Exception as error:
        error.add_note("In the process that worked on it:\n" + traceback.format_exc())
        answer = (False, error)
    try:
        message = pickle.dumps(answer)
        if not answer[0]:
            pickle.loads(message)  # an exception may go in and not come out
    except Exception:
        return pickle.dumps((False, _CannotPickleError()))
    return message
