"""What a `ChildProcess` runs: one function, until it returns or the process that started it is gone."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import signal
import sys
import threading
from multiprocessing.connection import Connection
from typing import Any

_PATIENCE = 0.5


def main(conversation: int, life: int) -> None:
    """Read the function and its argument, and call it.

    Args:
        conversation: Descriptor of the connection.
        life: Descriptor of a pipe that closes when the process that started this one ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other's Ctrl-C: it ends this process
    threading.Thread(target=_watch, args=(life,), daemon=True).start()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    connection: Connection[Any, Any] = Connection(conversation)
    try:
        function, argument = pickle.loads(connection.recv_bytes())
    except EOFError:
        os._exit(0)
    try:
        function(connection, argument)
    except BaseException:
        # The other may be gone, which is why it failed: nothing that it started may stay.
        if select.select([life], [], [], _PATIENCE)[0]:
            _end_all()
        raise
    connection.close()
    sys.stdout.flush()
    sys.stderr.flush()
    # Native libraries' threads may hang or crash at exit; all that counts was sent.
    os._exit(0)


def _watch(life: int) -> None:
    """End this process and all that it started when the other end of the pipe closes."""
    with contextlib.suppress(OSError):
        os.read(life, 1)
    _end_all()


def _end_all() -> None:
    with contextlib.suppress(OSError):
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)
