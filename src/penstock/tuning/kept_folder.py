"""A local folder of a search whose content is kept at a URL, for an attempt on another machine."""

from __future__ import annotations

import logging
import os

from penstock.artifacts import location

_WEIGHTS = (".weights.h5", ".keras", ".h5")


class KeptFolder:
    """Copies what a search needs to go on from a local folder to a URL, and back.

    Args:
        folder: The local folder.
        url: Where it is kept, such as `gs://bucket/...`.
        log: Where it is said if that fails: the search goes on then.
    """

    def __init__(self, folder: str, url: str, log: logging.Logger) -> None:
        self._folder, self._url, self._log = folder, url.rstrip("/"), log
        self._kept: dict[str, tuple[int, int]] = {}

    def fetch(self) -> None:
        """Copy what an earlier attempt has kept into the folder."""
        if not location.exists(self._url):
            return
        for name, _ in location.list_files(self._url):
            location.write_bytes(
                os.path.join(self._folder, name), location.read_bytes(f"{self._url}/{name}")
            )
            self._kept[name] = self._stamp(name)

    def keep(self, last: str, *, weights: bool) -> None:
        """Copy what has changed since.

        Args:
            last: Path of the file in the folder that says what has ended: it is copied after all others.
            weights: Whether weights of models are copied, too; a search rarely goes on from them.
        """
        last = os.path.relpath(last, self._folder)
        names = [name for name, _ in location.list_files(self._folder) if name != last]
        for name in [*names, last]:
            stamp = self._stamp(name)
            if self._kept.get(name) == stamp or (name.endswith(_WEIGHTS) and not weights):
                continue
            try:
                data = location.read_bytes(os.path.join(self._folder, name))
                location.write_bytes(f"{self._url}/{name}", data)
            except Exception as error:  # of any kind: storage libraries have their own
                self._log.warning("%s cannot be kept at %s: %s", name, self._url, error)
                return
            self._kept[name] = stamp

    def _stamp(self, name: str) -> tuple[int, int]:
        try:
            found = os.stat(os.path.join(self._folder, name))
        except FileNotFoundError:  # a temporary file
            return 0, 0
        return found.st_mtime_ns, found.st_size
