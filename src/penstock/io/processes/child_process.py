"""A Python process of our own that talks with us, whose output is ours, and that ends when we do.

It is spawned (never forked) with this process's import path. It runs one function, which gets a
connection and an argument. What it prints goes line by line into this process's standard error, with
its name before each line, except for what TensorFlow always says while it is imported. It leads a
process group: whatever it starts ends with it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import IO, Any, Self

_START = (
    "import sys; sys.path[:] = {path!r}; "
    "from penstock.io.processes.child_main import main; main({conversation}, {life})"
)

# What TensorFlow writes from C++ while it is imported, whatever its log level is, and that no driver of
# CUDA is installed (303).
_NOISE = re.compile(
    r"WARNING: All log messages before absl::InitializeLog\(\) is called"
    r"|I0000 00:00:.*(port|cudart_stub|cpu_feature_guard)\.cc:"
    r"|To enable the following instructions: .* rebuild TensorFlow"
    r"|E0000 00:00:.*cuInit: .*\(303\)"
)

_printing = threading.Lock()


def print_line(line: str) -> None:
    """Write a line to standard error, whole beside other threads' lines."""
    with _printing, contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


class ChildProcess:
    """A process that runs a function; use it as a context manager, or call `kill`.

    Args:
        function: Called there as `function(connection, argument)`; importable by its name.
        argument: Anything that can be pickled.
        name: Stands before each of its lines, such as "worker 1".
        environment: Variables that it has besides ours.
        print_line: Is given each line; prints it by default.

    Attributes:
        name: Its name.
        connection: Our end; `send` and `recv` take any object that can be pickled. `recv` raises
            `EOFError` or `ConnectionResetError` when the process is gone.

    Example:
        >>> with ChildProcess(serve, settings, name="worker 1") as child:
        ...     child.connection.send("begin")
        ...     answer = child.connection.recv()
    """

    def __init__(
        self,
        function: Callable[[Any, Any], None],
        argument: object,
        *,
        name: str,
        environment: Mapping[str, str] | None = None,
        print_line: Callable[[str], None] = print_line,
    ) -> None:
        self.name = name
        self._group_is_gone = False
        task = pickle.dumps((function, argument))
        mine, theirs = socket.socketpair()
        # Nothing is ever written to it: it closes when this process ends, however it ends.
        watched, self._life = os.pipe()
        command = _START.format(
            path=[os.path.abspath(place) for place in sys.path],
            conversation=theirs.fileno(),
            life=watched,
        )
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(), watched),
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        except BaseException:
            mine.close()
            os.close(self._life)
            raise
        finally:
            theirs.close()
            os.close(watched)
        self.connection: Connection[Any, Any] = Connection(mine.detach())
        assert self._process.stdout is not None
        self._printer = threading.Thread(
            target=self._pass_on, args=(self._process.stdout, print_line), daemon=True
        )
        self._printer.start()
        with contextlib.suppress(OSError):  # it is gone already: whoever listens will see
            self.connection.send_bytes(task)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float | None = None) -> int:
        """Wait until it has ended, and what it printed is passed on; return its exit status.

        Raises:
            subprocess.TimeoutExpired: If it takes longer.
        """
        status = self._process.wait(seconds)
        # What it started and left behind may still hold its output open.
        self._kill_group()
        self._printer.join(5)
        return status

    def kill(self) -> None:
        """End it at once, with all that it started. Nothing happens if it has ended."""
        self._kill_group()
        self._process.wait()
        self._printer.join(5)
        self.connection.close()
        if self._life >= 0:
            os.close(self._life)
            self._life = -1

    def how_it_ended(self) -> str:
        """Return in words how it ended, or that it hung up if it has not."""
        status = self.poll()
        return describe_status(status) if status is not None else "hung up"

    def _kill_group(self) -> None:
        if self._group_is_gone:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        # Its number may be another's once the process is waited for.
        self._group_is_gone = self._process.returncode is not None

    def _pass_on(self, output: IO[bytes], print_line: Callable[[str], None]) -> None:
        with output:
            for line in output:
                text = line.decode("utf-8", "replace").rstrip("\r\n").rpartition("\r")[2]
                if not _NOISE.match(text):
                    print_line(f"[{self.name}] {text}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def describe_status(status: int) -> str:
    """Return in words how a process ended.

    Args:
        status: Its exit status, negative for a signal.

    Example:
        >>> describe_status(-9), describe_status(3)
        ('was killed by SIGKILL (out of memory?)', 'ended with exit status 3')
    """
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hint = {"SIGKILL": " (out of memory?)", "SIGSEGV": " (a native library crashed)"}.get(name, "")
    return f"was killed by {name}{hint}"
