"""A folder of checkpoints: each is whole or not there, and only the newest ones are kept."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from penstock.io.files.filesystem import is_url, open_binary, open_for_writing
from penstock.training.checkpoints.contents import join, split

ARRAYS, DESCRIPTION = "arrays.npz", "checkpoint.json"
FORMAT = 1

_NAME = re.compile(r"checkpoint-(\d{8})")
_UNFINISHED = ".unfinished-"

log = logging.getLogger(__name__)


class CheckpointFolder:
    """Checkpoints in a local folder or behind an fsspec URL.

    Each is a folder `checkpoint-NNNNNNNN` with `arrays.npz` (NumPy's format, no pickles) and
    `checkpoint.json`. A local one is written aside, flushed to the disk and renamed, so a process that
    is killed at any moment leaves it whole or not there. Object stores have no renaming:
    `checkpoint.json` is written last, and without it there is no checkpoint.

    Args:
        path: The folder, which need not exist.
        keep: How many to keep.

    Example:
        >>> folder = CheckpointFolder("/tmp/mine")
        >>> folder.write({"step": 7, "weights": [np.zeros(3)]})
        'checkpoint-00000001'
        >>> folder.newest()["step"]
        7
    """

    def __init__(self, path: str | os.PathLike[str], *, keep: int = 2) -> None:
        if keep < 1:
            raise ValueError(f"keep must be at least 1. Received: {keep}")
        self.path = os.fspath(path).rstrip("/")
        self.keep = keep
        self._next = 0

    def names(self) -> list[str]:
        """Return the names of the checkpoints, the newest first."""
        return sorted(filter(_NAME.fullmatch, self._entries()), reverse=True)

    def write(self, contents: dict[str, Any]) -> str:
        """Write a checkpoint, then remove the oldest ones.

        Returns:
            Its name.

        Raises:
            OSError: If it cannot be written; what was there stays.
        """
        text, arrays = split(contents)
        packed = io.BytesIO()
        np.savez(packed, **arrays)  # type: ignore[arg-type]
        size = packed.getbuffer().nbytes
        facts = {"format": FORMAT, "bytes": size, "checksum": _checksum(packed.getbuffer(), text)}
        description = f'{json.dumps(facts)[:-1]}, "contents": {text}}}'.encode()
        if not self._next:
            names = self.names()
            self._next = 1 + (int(names[0].rpartition("-")[2]) if names else 0)
        name = f"checkpoint-{self._next:08d}"
        files = {ARRAYS: packed.getbuffer(), DESCRIPTION: memoryview(description)}
        if is_url(self.path):
            for file_name, content in files.items():
                with open_for_writing(f"{self.path}/{name}/{file_name}") as file:
                    file.write(content)
        else:
            self._write_local(name, files)
        self._next += 1
        for old in self.names()[self.keep :]:
            self._remove(old)
        return name

    def newest(self) -> dict[str, Any] | None:
        """Return the contents of the newest whole checkpoint, or None if there is none."""
        return next(self.contents(), None)

    def contents(self) -> Iterator[dict[str, Any]]:
        """Yield the contents of each whole checkpoint, the newest first.

        A damaged one is skipped, with a warning that says what is wrong with it.
        """
        for name in self.names():
            try:
                yield self.read(name)
            except Exception as error:  # whatever damage NumPy, zipfile and json meet
                reason = f"{type(error).__name__}: {error}"
                log.warning("Checkpoint %s/%s is damaged and skipped (%s)", self.path, name, reason)

    def read(self, name: str) -> dict[str, Any]:
        """Return the contents of one checkpoint.

        Raises:
            Exception: If it is damaged.
        """
        with open_binary(f"{self.path}/{name}/{DESCRIPTION}") as file:
            description = json.loads(file.read())
        if description["format"] != FORMAT:
            raise ValueError(f"format {FORMAT} was expected. Received: {description['format']}")
        with open_binary(f"{self.path}/{name}/{ARRAYS}") as file:
            packed = file.read()
        if len(packed) != description["bytes"]:
            raise ValueError(
                f"{ARRAYS} should have {description['bytes']:,} bytes and has {len(packed):,}"
            )
        text = json.dumps(description["contents"])
        if _checksum(packed, text) != description["checksum"]:
            raise ValueError("the checksum does not fit the content")
        with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        contents: dict[str, Any] = join(text, arrays)
        return contents

    def remove_unfinished(self) -> None:
        """Remove what a killed process left half written."""
        if not is_url(self.path):
            for name in self._entries():
                if name.startswith(_UNFINISHED):
                    shutil.rmtree(os.path.join(self.path, name), ignore_errors=True)

    def _entries(self) -> list[str]:
        if not is_url(self.path):
            return os.listdir(self.path) if os.path.isdir(self.path) else []
        import fsspec

        file_system, path = fsspec.core.url_to_fs(self.path)
        with contextlib.suppress(FileNotFoundError):
            entries = file_system.ls(path, detail=False, refresh=True)
            return [str(entry).rstrip("/").rpartition("/")[2] for entry in entries]
        return []

    def _write_local(self, name: str, files: dict[str, memoryview]) -> None:
        unfinished = os.path.join(self.path, f"{_UNFINISHED}{os.getpid()}-{name}")
        os.makedirs(unfinished)
        try:
            for file_name, content in files.items():
                with open(os.path.join(unfinished, file_name), "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            _flush_folder(unfinished)
            os.rename(unfinished, os.path.join(self.path, name))
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        _flush_folder(self.path)

    def _remove(self, name: str) -> None:
        if is_url(self.path):
            import fsspec

            file_system, path = fsspec.core.url_to_fs(f"{self.path}/{name}")
            with contextlib.suppress(FileNotFoundError):
                # The description first: without it nobody takes the rest for a checkpoint.
                file_system.rm_file(f"{path}/{DESCRIPTION}")
                file_system.rm(path, recursive=True)
            return
        # Renamed first, so that a removal that is cut short does not leave a damaged checkpoint.
        aside = os.path.join(self.path, f"{_UNFINISHED}{os.getpid()}-old-{name}")
        with contextlib.suppress(FileNotFoundError):
            os.rename(os.path.join(self.path, name), aside)
        shutil.rmtree(aside, ignore_errors=True)


def _checksum(arrays: Any, text: str) -> int:
    return zlib.crc32(text.encode(), zlib.crc32(arrays))


def _flush_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
