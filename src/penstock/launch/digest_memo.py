"""What files were found to contain, remembered by size, time and inode.

Digesting a large file, or parsing a module, takes time; whether it changed since is a matter of one
`stat`. The memory is a JSON file that may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

_SETTLED_NANOSECONDS = 2_000_000_000
"""A file changed within this time may change again within the clock's tick: not remembered."""


class DigestMemo:
    """Values computed from files, kept as long as a file's size, mtime and inode stay.

    Args:
        path: The JSON file; None keeps the memory in the process only.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self._changed = False
        self._entries: dict[str, list[Any]] = {}
        if path is not None:
            with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as file:
                entries = json.load(file)
                if isinstance(entries, dict):
                    self._entries = entries

    def value(self, kind: str, path: str, compute: Callable[[str], Any]) -> Any:
        """Return `compute(path)`, from memory where the file is unchanged.

        Args:
            kind: What is computed; part of the memory's key.
            path: A local file.
            compute: Returns a JSON value.

        Raises:
            FileNotFoundError: If there is no such file.
        """
        status = os.stat(path)
        mark = [status.st_size, status.st_mtime_ns, status.st_ino]
        key = f"{kind}:{os.path.abspath(path)}"
        known = self._entries.get(key)
        if known is not None and known[0] == mark:
            return known[1]
        value = compute(path)
        if time.time_ns() - status.st_mtime_ns > _SETTLED_NANOSECONDS:
            self._entries[key] = [mark, value]
            self._changed = True
        return value

    def save(self) -> None:
        """Write the memory to its file; a failure to write it loses nothing but time."""
        if self._path is None or not self._changed:
            return
        folder = os.path.dirname(self._path)
        with contextlib.suppress(OSError):
            os.makedirs(folder, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=folder, prefix=".digests-", delete=False, encoding="utf-8"
            ) as file:
                json.dump(self._entries, file)
            os.replace(file.name, self._path)
            self._changed = False
