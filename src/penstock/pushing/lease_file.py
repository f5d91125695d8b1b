"""A file on an object store that says that a process is at work, as long as it is renewed.

It is renewed each minute and void after five:

    {"format": 1, "holder": "host:4711:1", "until": 1795224504.5}
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
from typing import Any

from penstock.artifacts.location import read_bytes, remove, write_bytes

RENEWED_SECONDS = 60.0
VALID_SECONDS = 300.0

_creating = threading.Lock()
_log = logging.getLogger(__name__)


class LeaseFile:
    """Writes the file, and renews it until `remove` or the end of the process.

    Args:
        path: Its URL.
        exclusive: Whether to fail if it is there already. Otherwise a file that cannot be written is
            only a warning: who may only read can serve, but nobody sees it.

    Raises:
        FileExistsError: If it is there, and `exclusive`.
    """

    def __init__(self, path: str, *, exclusive: bool = False) -> None:
        self._path = path
        self._removed = threading.Event()
        self._writing = threading.Lock()
        if exclusive:
            create_file(path, _content(VALID_SECONDS))
        elif not self._renew():
            return
        threading.Thread(target=self._keep, name="penstock-lease", daemon=True).start()

    def remove(self) -> None:
        """Remove it; a second call does nothing."""
        # A renewal that has begun would write it once more.
        with self._writing:
            if not self._removed.is_set():
                self._removed.set()
                with contextlib.suppress(OSError):
                    remove(self._path)

    def _keep(self) -> None:
        while not self._removed.wait(RENEWED_SECONDS):
            with self._writing:
                if not self._removed.is_set():
                    self._renew()

    def _renew(self) -> bool:
        try:
            write_bytes(self._path, _content(VALID_SECONDS))
        except Exception as error:  # each store has errors of its own
            _log.warning("No lease on a version in use: cannot write %s: %s", self._path, error)
            return False
        return True


def is_valid(path: str) -> bool:
    """Return whether a lease is there and was renewed in time."""
    try:
        return float(json.loads(read_bytes(path))["until"]) > time.time()
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return False


def void(path: str) -> None:
    """Write a lease that is void."""
    write_bytes(path, _content(0.0))


def create_file(path: str, data: bytes) -> None:
    """Write a file that is not there yet.

    Of several processes one succeeds on stores with conditional writes (S3, Google Cloud Storage). On
    others fsspec looks first, and what lies there afterwards decides.

    Raises:
        FileExistsError: If it is there.
    """
    import fsspec

    system, inner = fsspec.core.url_to_fs(path)
    with _creating:
        system.pipe_file(inner, data, mode="create")
        if system.cat_file(inner) != data:
            raise FileExistsError(f"{path} was written by another process")


def _content(seconds: float) -> bytes:
    content: dict[str, Any] = {
        "format": 1,
        "holder": f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}",
        "until": time.time() + seconds if seconds else 0.0,
    }
    return json.dumps(content).encode()
