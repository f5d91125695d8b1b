"""Working on shards in several processes, with results that do not depend on how many there are.

Helper processes are spawned (never forked, and without the caller's `__main__`); each receives a
pickled function and then one shard after another. The calling process works too. A helper ends when
its pipe closes, so none outlives the caller.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import IO, Generic, Self, TypeVar, cast

from penstock.io.processes.pipe_messages import Message, loaded, pickled, receive, send
from penstock.io.processes.shard_worker import FUNCTION, SHARD, CannotPickleError

_Shard = TypeVar("_Shard")
_Result = TypeVar("_Result")

# Each holds a few shards; the process that reads and writes keeps no more of them busy.
_MOST_PROCESSES = 8

_START = "import sys; sys.path[:] = {path!r}; from penstock.io.processes.shard_worker import serve; serve()"

_Kept = list[subprocess.Popen[bytes]]
# Each thread that keeps processes has its own.
_kept: ContextVar[_Kept | None] = ContextVar("kept", default=None)


class ShardProcessError(RuntimeError):
    """A helper process died; the message names the shard and the cause."""


def usable_processes(most: int) -> int:
    """Return how many processes to use: one per usable core, and at most `most`."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(most, cores or 1))


def map_shards(
    function: Callable[[_Shard], _Result],
    shards: Iterable[_Shard],
    *,
    processes: int | None = None,
    at_least: int = 2,
) -> Generator[_Result, None, None]:
    """Yield `function(shard)` for each shard, in the shards' order.

    Shards are taken from their iterable as they are needed, a few ahead. If something cannot be
    pickled (such as a function of `__main__`), the calling process works alone. Closing the
    generator ends the processes.

    Args:
        function: Called once per shard; it must not rely on running in this process.
        shards: The shards: files, or blocks of data as they are read.
        processes: How many processes work, including the calling one; by default one per core, and
            at most 8.
        at_least: How many shards there must be for helper processes to be started.

    Raises:
        ShardProcessError: If a helper process dies.
        Exception: The error of `function` for the first shard that it fails on, or the error of
            taking the next shard.

    Example:
        >>> list(map_shards(os.path.getsize, files))
        [6155773, 6153231]
    """
    iterator = iter(shards)
    first = list(itertools.islice(iterator, at_least))
    wanted = usable_processes(_MOST_PROCESSES) if processes is None else processes
    if isinstance(shards, Sequence):
        wanted = min(wanted, len(shards))
    if len(first) < at_least:
        wanted = 1
    iterator = itertools.chain(first, iterator)
    try:
        task = pickled(function) if wanted > 1 else []
    except Exception:  # of any kind: what is pickled may raise its own
        wanted = 1
    if wanted <= 1:
        yield from map(function, iterator)
        return
    with _Helpers(function, task, iterator, wanted - 1) as helpers:
        yield from helpers.results()


@contextlib.contextmanager
def kept_processes() -> Iterator[None]:
    """Keep helper processes from one `map_shards` to the next, within the block.

    Each takes a third of a second to start. They have the caller's modules as these were when they
    started.

    Example:
        >>> with kept_processes():
        ...     sizes = list(map_shards(os.path.getsize, files))
        ...     rows = list(map_shards(count_rows, files))
    """
    if _kept.get() is not None:  # within another block
        yield
        return
    kept: _Kept = []
    token = _kept.set(kept)
    try:
        yield
    finally:
        _kept.reset(token)
        for process in kept:
            _end(process)


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
        self._ahead = count + 3  # one for each process, and two to go on with
        self._pending: deque[_Pending[_Shard, _Result]] = deque()  # in order, the next one first
        self._untaken: deque[_Pending[_Shard, _Result]] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._idle: set[subprocess.Popen[bytes]] = set()
        self._processes = [_kept_or_new() for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._feed, args=(process, task), daemon=True)
            for process in self._processes
        ]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[_Result]:
        """Yield the results; the caller works too while it waits for the next one."""
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
            except CannotPickleError:
                yield self._function(wanted.shard)
            del wanted  # lets go of the result

    def _pull(self) -> bool:
        """Take shards up to the number that may be ahead; return whether there can be more."""
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
        try:
            send(process.stdin, [FUNCTION, *task])
            if not loaded(receive(process.stdout)):
                return  # it cannot load the function: the others do its part
        except (OSError, EOFError):
            return  # it died while it started: the others do its part
        while (pending := self._take_for_helper()) is not None:
            self._have_settled(pending, process, process.stdin, process.stdout)
            del pending  # lets go of the result
        self._idle.add(process)

    def _have_settled(
        self,
        pending: _Pending[_Shard, _Result],
        process: subprocess.Popen[bytes],
        tasks: IO[bytes],
        answers: IO[bytes],
    ) -> None:
        try:
            message = pickled(pending.shard)
        except Exception:  # of any kind: the caller waits for an answer
            pending.future.set_exception(CannotPickleError())
            return
        try:
            send(tasks, [SHARD, *message])
            succeeded, answer = loaded(receive(answers))
        except (OSError, EOFError) as error:
            died = ShardProcessError(
                f"The process that worked on shard {pending.number} died with exit status "
                f"{process.wait()} (-9 is SIGKILL, perhaps because memory ran out)."
            )
            died.__cause__ = error
            succeeded, answer = False, died
        except Exception as error:  # an answer that cannot be loaded, for one
            succeeded, answer = False, error
        if succeeded:
            pending.future.set_result(answer)
        else:
            pending.future.set_exception(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        kept = _kept.get()
        if error is None and kept is not None:
            for thread in self._threads:
                thread.join()
            kept.extend(self._idle)
            self._processes = [each for each in self._processes if each not in self._idle]
        for process in self._processes:
            process.kill()
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            _end(process)


def _kept_or_new() -> subprocess.Popen[bytes]:
    kept = _kept.get()
    while kept:
        process = kept.pop()
        if process.poll() is None:
            return process
        _end(process)
    return _start()


def _start() -> subprocess.Popen[bytes]:
    command = _START.format(path=[os.path.abspath(place) for place in sys.path])
    return subprocess.Popen(
        [sys.executable, "-P", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            # What was not sent was for a process that is gone.
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
