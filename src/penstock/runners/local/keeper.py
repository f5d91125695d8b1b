"""The process that a worker is forked from: it outlives the worker and ends whatever is left.

Its only thread waits for three things: that the worker ends, that it is told to end it, that the
runner is gone. Whatever the worker started and left behind becomes the keeper's child (it is a
"subreaper", prctl(2)) and is killed with it, so that no process survives a killed attempt or runner,
not even one in a session of its own. Were the keeper itself killed, the kernel kills the worker.

It imports as little as it can: the worker is forked from it and goes on from there.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time

GRACE_SECONDS = 5.0
"""How long a worker may take over its end after SIGTERM."""

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h


def main(conversation: int, life: int, lease: int) -> None:
    """Fork the worker and keep it until it ends or `life` is closed.

    Args:
        conversation: Descriptor of the worker's socket to the runner.
        life: Descriptor of the keeper's. The runner writes `t` to end the worker gently and closes it to
            end it at once; the keeper writes `{"exit": code}` or `{"signal": number}` (with the worker's
            `peak_rss_bytes`) when it has ended.
        lease: Descriptor of the run's locked lease, or -1. The keeper holds it as long as it lives, so that
            nobody takes a dead run over while a process of it may still write.
    """
    _control_process(_SET_CHILD_SUBREAPER, 1)
    keeper = os.getpid()
    worker = os.fork()
    if worker == 0:
        os.close(life)
        if lease >= 0:
            os.close(lease)
        os.setpgid(0, 0)
        _control_process(_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)
        from penstock.runners.local.worker import serve

        serve(conversation)
        os._exit(0)
    os.close(conversation)
    # What the worker prints is no business of the keeper's; standard input is the null device.
    os.dup2(0, 1)
    os.dup2(0, 2)
    _keep(worker, socket.socket(fileno=life))
    os._exit(0)


def _keep(worker: int, life: socket.socket) -> None:
    bell, ringer = os.pipe()
    os.set_blocking(ringer, False)
    signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
    ending = False

    def end(number: int, frame: object) -> None:
        nonlocal ending
        ending = True

    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end)
    deadline: float | None = None
    while not ending:
        ended = _reap(worker)
        if ended is not None:
            end_descendants(worker)
            with contextlib.suppress(OSError):
                life.sendall(json.dumps(_ending(*ended)).encode())
            return
        patience = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([life.fileno(), bell], [], [], patience)
        if bell in ready:
            os.read(bell, 4096)
        if life.fileno() in ready:
            try:
                told = life.recv(16)
            except OSError:
                told = b""
            if not told:
                ending = True
            elif deadline is None:
                deadline = time.monotonic() + GRACE_SECONDS
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker, signal.SIGTERM)
        if deadline is not None and time.monotonic() >= deadline:
            ending = True
    end_descendants(worker)
    with contextlib.suppress(OSError):
        life.sendall(json.dumps({"signal": int(signal.SIGKILL)}).encode())


def _reap(worker: int) -> tuple[int, int] | None:
    """Collect every child that has ended; of the worker return its status and largest memory."""
    while True:
        try:
            child, status, used = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return 0, 0
        if child == worker:
            return status, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        if child == 0:
            return None


def _ending(status: int, peak_rss_bytes: int) -> dict[str, int]:
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status), "peak_rss_bytes": peak_rss_bytes}
    return {"exit": os.waitstatus_to_exitcode(status)}


def end_descendants(group: int) -> None:
    """Kill and collect every child; their children become ours and meet the same end.

    Args:
        group: A process group that is killed first, all that can be done where there are no subreapers.
    """
    with contextlib.suppress(OSError):
        os.killpg(group, signal.SIGKILL)
    while True:
        killed = False
        for child in _children():
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
                killed = True
        try:
            os.waitpid(-1, 0 if killed else os.WNOHANG)
        except ChildProcessError:
            return
        if not killed and not _children():
            return


def _children() -> list[int]:
    own = os.getpid()
    try:
        with open(f"/proc/{own}/task/{own}/children") as file:
            return [int(number) for number in file.read().split()]
    except FileNotFoundError:
        return _children_by_parent(own)


def _children_by_parent(parent: int) -> list[int]:
    """Return children where the kernel does not list them: by asking each process for its parent."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:
                    # The name in parentheses may hold spaces and parentheses.
                    if int(file.read().rpartition(")")[2].split()[1]) == parent:
                        found.append(int(name))
    return found


def _control_process(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
