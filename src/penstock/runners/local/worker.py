"""What a worker process does: import, then execute one attempt after another."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from penstock.io.processes.disposable import declare_disposable
from penstock.runners.local.frames import FrameSocket


def serve(conversation: int) -> None:
    """Serve a runner until it hangs up.

    The first message holds `project_root` and `imports`, and is answered by `ready`. Each further one
    is an attempt, answered by `started`, by `progress` now and then if the runner follows it, by `epoch`
    after each epoch of training, and by `result`.

    Args:
        conversation: Descriptor of the socket to the runner.
    """
    declare_disposable()
    os.set_inheritable(conversation, False)
    frames = FrameSocket(socket.socket(fileno=conversation))
    # Says where it hung, in the log, when it is ended by a timeout; then dies of it.
    faulthandler.register(signal.SIGTERM, file=2, all_threads=True, chain=True)
    faulthandler.enable(file=2)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    setting = frames.receive()
    if setting is None:
        return
    root = setting["project_root"]
    sys.path[:] = [root, *(each for each in sys.path if each != root)]
    for name in setting["imports"]:
        warm(name)
    frames.send({"kind": "ready"})
    # How far a component is may be told by its threads.
    sending = threading.Lock()

    def send(message: dict[str, Any]) -> None:
        with sending:
            frames.send(message)

    while (message := frames.receive()) is not None:
        send({"kind": "started"})
        listener = _teller(send) if message["follow"] else None
        result = _execute(message["attempt"], listener, _epoch_teller(send))
        send({"kind": "result", "result": result})


def warm(name: str) -> None:
    """Import a module, or call `module:function`; what fails now will fail again where it matters."""
    module, _, function = name.partition(":")
    # A library may even exit; whoever needs it will see that in an attempt, with its log.
    with contextlib.suppress(BaseException):
        from penstock.dsl.importing import import_definitions

        imported = import_definitions(module)
        if function:
            getattr(imported, function)()


def _teller(send: Callable[[dict[str, Any]], None]) -> Callable[[str], None]:
    return lambda text: send({"kind": "progress", "text": text})


def _epoch_teller(
    send: Callable[[dict[str, Any]], None],
) -> Callable[[int, Mapping[str, float]], None]:
    def tell(epoch: int, metrics: Mapping[str, float]) -> None:
        send({"kind": "epoch", "epoch": epoch, "metrics": dict(metrics)})

    return tell


def _execute(
    value: dict[str, Any],
    listener: Callable[[str], None] | None = None,
    on_epoch: Callable[[int, Mapping[str, float]], None] | None = None,
) -> dict[str, Any]:
    with capture(value["log_path"]):
        try:
            main_source = value["settings"].get("main_source")
            if main_source is not None:
                from penstock.dsl.main_module import install_main

                install_main(main_source)
            from penstock.launch.attempt import Attempt
            from penstock.launch.execution import execute

            result = execute(Attempt.from_json(value), listener, on_epoch).to_json()
        except BaseException as error:
            text = traceback.format_exc()
            sys.stderr.write(text)
            line = " ".join(str(error).split())
            result = {
                "outputs": {},
                "error": f"{type(error).__name__}: {line}",
                "traceback": text,
                "usage": {},
                "metrics": {},
            }
    return result


@contextlib.contextmanager
def capture(log_path: str) -> Iterator[None]:
    """Send everything that the process prints to a file, also what native code prints.

    Where the file cannot be written (the disk is full), it is lost.
    """
    try:
        os.makedirs(os.path.dirname(log_path), exist_ok=True)
        log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        log = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    _flush()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    try:
        yield
    finally:
        _flush()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
