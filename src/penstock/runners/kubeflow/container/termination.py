"""The end of a container from outside, and what Kubernetes is told of any end.

Under Kubeflow, SIGTERM goes to its launcher and to the node's process at once. The launcher dies of it,
and with it the container, a second later at most: of the pod's grace nothing else is left. So the first
thing is to write down that the attempt was canceled, from a thread, for the main thread may be in a
long step. In a pod of its own a process has the whole grace, and a training writes a last checkpoint.

The launcher also ends with 1 whatever the exit code of its command was, so the reason of a failure is
written to the container's termination message.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from penstock import stopping

GRACE_SECONDS = 20.0
"""How long work may take to stop by itself; a pod's grace is 30 seconds by default."""

MESSAGE_FILE = "/dev/termination-log"
_LONGEST = 4000  # bytes; Kubernetes keeps 4096


class Termination:
    """What is done first when the container is told to end.

    Attributes:
        first: Called from a thread as soon as the signal comes; may be set at any time.
    """

    def __init__(self) -> None:
        self.first: Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def on_sigterm(self) -> Iterator[None]:
        """Take SIGTERM for a request to stop while the body runs: it is interrupted, or stops by itself.

        In the main thread only.
        """
        bell, ringer = os.pipe()
        os.set_blocking(ringer, False)
        listener = threading.Thread(target=self._listen, args=(bell,), daemon=True)
        before = signal.signal(signal.SIGTERM, _interrupt)
        rung = signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
        listener.start()
        try:
            with stopping.fresh():
                yield
        finally:
            signal.set_wakeup_fd(rung)
            signal.signal(signal.SIGTERM, before)
            os.close(ringer)
            listener.join()
            os.close(bell)

    def _listen(self, bell: int) -> None:
        while got := os.read(bell, 64):
            if signal.SIGTERM in got:
                with contextlib.suppress(
                    Exception
                ):  # the lease runs out where it cannot be recorded
                    self.first()
                return


def say_ending(code: int, text: str) -> None:
    """Tell Kubernetes in words how the container ends: the exit code itself is lost on the way.

    Args:
        code: The exit code.
        text: The reason.
    """
    if "PENSTOCK_POD_NAME" not in os.environ:
        return
    said = f"exit code {code}: {text}".encode()[:_LONGEST]
    with contextlib.suppress(OSError), open(MESSAGE_FILE, "wb") as file:
        file.write(said)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not stopping.ask():
        raise KeyboardInterrupt
    deadline = threading.Timer(GRACE_SECONDS, _thread.interrupt_main)
    deadline.daemon = True
    deadline.start()
