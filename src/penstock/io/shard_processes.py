"""Working on shards in several processes, with results that do not depend on how many there are.

Helper processes are started afresh (never forked, and without the caller's `__main__`); each takes a
pickled function and then one shard after another. The calling process works too. A helper ends when
its pipe does, so none outlives the caller.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import IO, Any, Generic, Self, TypeVar, cast

from penstock.io.pipe_messages import Message, loaded, pickled, receive, send

_Shard = TypeVar("_Shard")
_Result = TypeVar("_Result")

# Shards that are worked on or wait, for each process.
_AHEAD = 2
_START = (
    "import sys; sys.path[:] = {path!r}; from penstock.io.shard_processes import serve; serve()"
)


class ShardProcessError(RuntimeError):
    """A helper process died; the message says at which shard and how."""


class _CannotPickleError(Exception):
    """A shard or a result does not fit through a pipe."""


def usable_processes(most: int) -> int:
    """Returns how many processes to work in: one a usable core, and not more than `most`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(most, cores or 1))


def map_shards(
    function: Callable[[_Shard], _Result],
    shards: Iterable[_Shard],
    *,
    processes: int | None = None,
    at_least: int = 2,
) -> Iterator[_Result]:
    """Yields `function(shard)` for each shard, in the shards' order.

    Shards are taken from their iterable as they are needed, a few ahead. What cannot be pickled (a
    function of `__main__`, say) is worked on by the calling process alone.

    Args:
        function: Called once a shard; it must not rely on being called in this process.
        shards: What to work on: files, or blocks of data as they are read.
        processes: How many processes work, the calling one among them; by default one a core.
        at_least: How many shards there must be for helper processes to be started.

    Raises:
        ShardProcessError: If a helper process dies.
        Exception: Whatever `function` raises, for the first shard that it fails on, and whatever
            taking the next shard raises.

    Example:
        >>> list(map_shards(os.path.getsize, files))
        [6155773, 6153231]
    """
    iterator = iter(shards)
    first = list(itertools.islice(iterator, at_least))
    wanted = usable_processes(sys.maxsize) if processes is None else processes
    if isinstance(shards, Sequence):
        wanted = min(wanted, len(shards))
    if len(first) < at_least:
        wanted = 1
    iterator = itertools.chain(first, iterator)
    try:
        task = pickled(function) if wanted > 1 else []
    except (pickle.PicklingError, AttributeError, TypeError):
        wanted = 1
    if wanted <= 1:
        yield from map(function, iterator)
        return
    with _Helpers(function, task, iterator, wanted - 1) as helpers:
        yield from helpers.results()


@dataclass(eq=False)
class _Pending(Generic[_Shard, _Result]):
    """A shard whose result is not yielded yet."""

    number: int
    shard: _Shard
    future: Future[_Result] = field(default_factory=Future)


class _Helpers(Generic[_Shard, _Result]):
    """The helper processes, a thread each, and the shards that they and the caller share."""

    def __init__(
        self,
        function: Callable[[_Shard], _Result],
        task: Message,
        shards: Iterator[_Shard],
        count: int,
    ) -> None:
        self._function = function
        self._shards = shards
        self._numbers = itertools.count()
        self._ahead = _AHEAD * (count + 1)
        self._pending: deque[_Pending[_Shard, _Result]] = deque()  # in order, the next one first
        self._untaken: deque[_Pending[_Shard, _Result]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._processes = [_start() for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._feed, args=(process, task), daemon=True)
            for process in self._processes
        ]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[_Result]:
        """Yields the results; the caller works too while it waits for the next one."""
        more = True
        while True:
            more = more and self._pull()
            if not self._pending:
                return
            wanted = self._pending[0]
            if not wanted.future.done() and (mine := self._take()) is not None:
                self._settle(mine)
                continue
            self._pending.popleft()
            try:
                yield wanted.future.result()
            except _CannotPickleError:
                yield self._function(wanted.shard)
            del wanted  # lets go of the result

    def _pull(self) -> bool:
        """Takes shards up to the number that may be ahead; returns whether there can be more."""
        while len(self._pending) < self._ahead:
            pending: _Pending[_Shard, _Result]
            try:
                pending = _Pending(next(self._numbers), next(self._shards))
            except StopIteration:
                return False
            except Exception as error:  # it comes after the results of the shards before
                pending = _Pending(-1, cast("_Shard", None))
                pending.future.set_exception(error)
                self._pending.append(pending)
                return False
            self._pending.append(pending)
            with self._changed:
                self._untaken.append(pending)
                self._changed.notify()
        return True

    def _take(self) -> _Pending[_Shard, _Result] | None:
        with self._changed:
            return self._untaken.popleft() if self._untaken else None

    def _take_for_helper(self) -> _Pending[_Shard, _Result] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._untaken or self._closed)
            return None if self._closed else self._untaken.popleft()

    def _settle(self, pending: _Pending[_Shard, _Result]) -> None:
        try:
            pending.future.set_result(self._function(pending.shard))
        except Exception as error:
            pending.future.set_exception(error)

    def _feed(self, process: subprocess.Popen[bytes], task: Message) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        pending: _Pending[_Shard, _Result] | None = None
        try:
            send(process.stdin, task)
            if not loaded(receive(process.stdout)):
                return  # it cannot load the function: the others do its part
            while (pending := self._take_for_helper()) is not None:
                try:
                    message = pickled(pending.shard)
                except (pickle.PicklingError, AttributeError, TypeError):
                    pending.future.set_exception(_CannotPickleError())
                    continue
                send(process.stdin, message)
                succeeded, answer = loaded(receive(process.stdout))
                if succeeded:
                    pending.future.set_result(answer)
                else:
                    pending.future.set_exception(answer)
        except Exception as error:
            if pending is None:
                return  # it died while it started: the others do its part
            if isinstance(error, (OSError, EOFError)):
                died = ShardProcessError(
                    f"The process that worked on shard {pending.number} died with exit status "
                    f"{process.wait()} (-9 is SIGKILL, perhaps for want of memory)."
                )
                died.__cause__ = error
                error = died
            pending.future.set_exception(error)

    def __enter__(self) -> Self:
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


def serve() -> None:
    """Works as a helper process: reads a function and shards, writes results."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller's Ctrl-C: it ends this process
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed must not get between the answers
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(messages,), daemon=True).start()
    try:
        function = loaded(messages.get())
    except Exception:
        send(answers, pickled(False))
        return
    send(answers, pickled(True))
    while True:
        send(answers, _answer(function, messages.get()))


def _listen(messages: queue.SimpleQueue[Message]) -> None:
    try:
        while True:
            messages.put(receive(sys.stdin.buffer))
    except EOFError:
        os._exit(0)  # the caller is gone: nobody wants what is being worked on


def _answer(function: Callable[[Any], Any], message: Message) -> Message:
    cannot_pickle = pickled((False, _CannotPickleError()))
    try:
        shard = loaded(message)
    except Exception:
        return cannot_pickle
    try:
        answer = (True, function(shard))
    except Exception as error:
        error.add_note("In the process that worked on it:\n" + traceback.format_exc())
        answer = (False, error)
    try:
        answered = pickled(answer)
        if not answer[0]:
            loaded(answered)  # an exception may go in and not come out
    except Exception:
        return cannot_pickle
    return answered
