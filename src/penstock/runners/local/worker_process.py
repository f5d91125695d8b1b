"""A worker process as the runner sees it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import penstock
from penstock.launch.attempt import Attempt
from penstock.launch.profile import WorkerProfile
from penstock.runners.local.frames import FrameSocket

_START = (
    "import sys; sys.path.append({!r}); "
    "from penstock.runners.local.keeper import main; main({}, {}, {})"
)
_LIBRARY = os.path.dirname(os.path.dirname(os.path.abspath(penstock.__file__)))

_GIB = 2**30

START_SECONDS = 120.0
"""How long a process may take to begin with an attempt that has a timeout: it may be importing."""

# What keeps a worker's imports quiet and its order of sets the same; the user's own setting wins.
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "TF_CPP_MIN_LOG_LEVEL": "1",
    "GRPC_VERBOSITY": "ERROR",
    "ABSL_MIN_LOG_LEVEL": "1",
}


class WorkerProcess:
    """A process that executes one attempt at a time, and its keeper.

    Args:
        profile: What it is for; `settings` are settled by its first attempt.
        project_root: First on its import path.
        imports: What it imports at once.
        lease: Descriptor of the run's lease, which its keeper holds as long as it lives; None for none.

    Attributes:
        profile: Its profile; until it is given an attempt only the `base` of it holds.
        attempt: What it executes, or None.
        used: Whether it was ever given an attempt.
        ready: Whether it has made its imports.
        talking: Whether its end of the conversation is open.
        sending: Whether something waits to be sent to it.
        deadline: When its attempt times out, by the monotonic clock; None for never.
    """

    def __init__(
        self,
        profile: WorkerProfile,
        project_root: str,
        imports: Sequence[str] = (),
        lease: int | None = None,
    ) -> None:
        self.profile = profile
        self.attempt: Attempt | None = None
        self.used = False
        self.ready = False
        self.talking = True
        self.sending = False
        self.deadline: float | None = None
        self._has_log = False
        self._killed_for: str | None = None
        environment = _ENVIRONMENT | os.environ | dict(profile.environment)
        self._early = os.memfd_create("penstock-worker") if hasattr(os, "memfd_create") else None
        conversation, theirs = socket.socketpair()
        self.life, keepers = socket.socketpair()
        self.frames = FrameSocket(conversation)
        for mine in (conversation, self.life):
            mine.setblocking(False)
        with theirs, keepers:
            held = () if lease is None else (lease,)
            command = _START.format(
                _LIBRARY, theirs.fileno(), keepers.fileno(), -1 if lease is None else lease
            )
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-c", command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL if self._early is None else self._early,
                    stderr=subprocess.STDOUT,
                    pass_fds=(theirs.fileno(), keepers.fileno(), *held),
                    env=environment,
                    start_new_session=True,
                )
            except BaseException:
                self.hang_up()
                raise
        self._send({"project_root": project_root, "imports": list(imports)})

    @property
    def ending(self) -> bool:
        """Whether it was told to end."""
        return self._killed_for is not None

    def _send(self, message: Mapping[str, Any]) -> None:
        self.sending = not self.frames.queue(message)

    def flush(self) -> None:
        """Send more of what could not be sent at once."""
        self.sending = not self.frames.flush()

    def execute(self, attempt: Attempt, profile: WorkerProfile, *, follow: bool) -> None:
        """Give it an attempt; `profile` is its own from now on.

        Args:
            attempt: What to execute.
            profile: What the process is for.
            follow: Whether it is to say how far it is.
        """
        self.attempt = attempt
        self.profile = profile
        self.used = True
        timeout = attempt.node.policy.timeout_seconds
        if timeout is not None:
            self.deadline = time.monotonic() + timeout + START_SECONDS
        self._send({"attempt": attempt.to_json(), "follow": follow})

    def started(self) -> None:
        """Begin to count the time of its attempt."""
        assert self.attempt is not None
        self._has_log = True
        timeout = self.attempt.node.policy.timeout_seconds
        self.deadline = None if timeout is None else time.monotonic() + timeout

    def finished(self) -> Attempt:
        """Return its attempt, which is over."""
        attempt, self.attempt, self.deadline = self.attempt, None, None
        assert attempt is not None
        return attempt

    def end(self, reason: str) -> None:
        """End it gently: it may clean up for some seconds after SIGTERM.

        Args:
            reason: Why, for the record of its attempt.
        """
        if self._killed_for is None:
            self._killed_for = reason
            with contextlib.suppress(OSError):
                self.life.send(b"t")
        self.deadline = None

    def why_it_ended(self) -> str:
        """Return why the process ended, one line, after `life` was heard of."""
        try:
            told = self.life.recv(256)
        except OSError:
            told = b""
        if self._killed_for is not None:
            return self._killed_for
        if not told:
            return "its process was killed from outside, together with its keeper"
        reason = describe(json.loads(told))
        early = "" if self._has_log else self._early_output()
        return f"{reason}: {early}" if early else reason

    def _early_output(self) -> str:
        """Return the last line that was printed before there was a log."""
        if self._early is None:
            return ""
        size = os.fstat(self._early).st_size
        text = os.pread(self._early, 4096, max(0, size - 4096)).decode("utf-8", "replace")
        return text.strip().rpartition("\n")[2]

    def hang_up(self) -> None:
        """End it at once, with all that it started."""
        self.frames.close()
        self.life.close()
        if self._early is not None:
            os.close(self._early)
            self._early = None

    def is_gone(self) -> bool:
        """Return whether all of it is gone."""
        return self._process.poll() is not None

    def wait(self, seconds: float) -> bool:
        """Wait until all is gone; return whether it is. Its keeper is killed if it takes longer."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        return True


def describe(ending: Mapping[str, int]) -> str:
    """Return in words how a process ended.

    What kills for want of memory says so nowhere that a program may read; the figures tell.

    Args:
        ending: `exit` or `signal`, and `peak_rss_bytes` where it is known.

    Example:
        >>> describe({"signal": 9})
        'killed by SIGKILL (out of memory?)'
        >>> describe({"exit": 3})
        'its process ended with exit status 3, before the component had returned'
    """
    if "signal" in ending:
        try:
            name = signal.Signals(ending["signal"]).name
        except ValueError:
            name = f"signal {ending['signal']}"
        hint = {
            "SIGKILL": f" (out of memory?{_memory(ending.get('peak_rss_bytes', 0))})",
            "SIGSEGV": " (a native library crashed; the log says where)",
            "SIGABRT": " (a native library aborted; the log says why)",
            "SIGBUS": " (a native library crashed, or the disk of a mapped file is full)",
        }.get(name, "")
        return f"killed by {name}{hint}"
    return f"its process ended with exit status {ending['exit']} before the component returned"


def _memory(peak: int) -> str:
    """Return how much memory a process had at most, and how much there is."""
    from penstock import machine

    if not peak:
        return ""
    there = machine.memory()
    limit = f", of {there[0] / _GIB:.1f} GiB available" if there else ""
    return f" It used {peak / _GIB:.1f} GiB{limit}"
