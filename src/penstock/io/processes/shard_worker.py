"""A process that works on shards for another one, see `shard_processes`.

Each message to it is a function or a shard; it answers whether it could load the function, or with
the function's result for the shard.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from penstock.io.processes.pipe_messages import Message, loaded, pickled, receive, send

FUNCTION, SHARD = memoryview(b"function"), memoryview(b"shard")
"""What the rest of a message holds."""


class CannotPickleError(Exception):
    """A shard or a result does not fit through a pipe."""


def serve() -> None:
    """Work as a helper process: read a function and shards, write results."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller's Ctrl-C: it ends this process
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed must not get between the answers
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(messages,), daemon=True).start()
    function: Any = None
    while True:
        kind, *message = messages.get()
        if kind == FUNCTION:
            function = _function_of(message)
            answer = pickled(function is not None)
        else:
            answer = _answer(function, message)
        try:
            send(answers, answer)
        except BrokenPipeError:
            os._exit(0)  # the caller is gone


def _function_of(message: Message) -> Any:
    """Return the function; None if it cannot be loaded here."""
    try:
        return loaded(message)
    except Exception:
        return None


def _listen(messages: queue.SimpleQueue[Message]) -> None:
    try:
        while True:
            messages.put(receive(sys.stdin.buffer))
    except EOFError:
        os._exit(0)  # the caller is gone: nobody wants what is being worked on
    except BaseException:  # a message that does not fit into memory: the caller waits for an answer
        traceback.print_exc()
        os._exit(1)


def _answer(function: Callable[[Any], Any], message: Message) -> Message:
    cannot_pickle = pickled((False, CannotPickleError()))
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
