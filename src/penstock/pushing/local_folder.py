"""Pushing to a folder: a copy in a hidden folder beside the versions, then one rename."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from penstock.artifacts.location import list_files
from penstock.pushing.manifest import FileEntry, Manifest, write_manifest
from penstock.serving.versions import MANIFEST, version_names

STAGING = ".staging-"
_BLOCK = 1 << 20


def push_to_folder(
    source: str,
    root: Path,
    manifest: Manifest,
    *,
    first: Callable[[int], int],
    check: Callable[[str], None],
) -> int:
    """Copy a model to a new version in one visible step, and return the version.

    Args:
        source: The model's folder.
        root: The folder of all versions; created if missing.
        manifest: Its form and lineage; the files are described while they are copied.
        first: Gives the version to try from the highest that there is.
        check: Called with the copy's folder before it becomes visible; what it raises ends the push.
    """
    root.mkdir(parents=True, exist_ok=True)
    sweep_staging(str(root))
    with _staging(root) as staging:
        copy = staging / "model"
        files = _copy(source, copy)
        check(str(copy))
        return _publish(copy, root, first, replace(manifest, files=files))


def sweep_staging(destination: str) -> list[str]:
    """Remove the remains of crashed pushes from a folder, and return their names.

    A push in progress holds a lock on its folder and is left alone.
    """
    swept = []
    for folder in Path(destination).glob(f"{STAGING}*"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
                swept.append(folder.name)
            finally:
                os.close(descriptor)
    return swept


@contextlib.contextmanager
def _staging(root: Path) -> Iterator[Path]:
    folder, descriptor = _locked_folder(root)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _locked_folder(root: Path) -> tuple[Path, int]:
    """Make a folder that is locked; one that a sweep took before it was locked is made again."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=STAGING, dir=root))
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def _copy(source: str, target: Path) -> dict[str, FileEntry]:
    """Copy a model's files to the disk, and describe them.

    A manifest is left out: a model that is pushed once more gets one of its own. So are modes and times.
    """
    target.mkdir()
    for folder in Path(source).rglob("*"):
        if folder.is_dir():
            (target / folder.relative_to(source)).mkdir(parents=True, exist_ok=True)
    files = {}
    for name, _ in list_files(source):
        if name != MANIFEST:
            files[name] = _copy_file(os.path.join(source, name), target / name)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        sync(folder)
    return files


def _copy_file(source: str, target: Path) -> FileEntry:
    digest, size = hashlib.sha256(), 0
    with open(source, "rb") as read, open(target, "wb") as written:
        while block := read.read(_BLOCK):
            written.write(block)
            digest.update(block)
            size += len(block)
        written.flush()
        os.fsync(written.fileno())
    return FileEntry(size, digest.hexdigest())


def _publish(copy: Path, root: Path, first: Callable[[int], int], manifest: Manifest) -> int:
    """Rename the copy to the first free version; another push may take one at the same time."""
    os.chmod(copy, 0o755)
    while True:
        version = first(max(map(int, version_names(str(root))), default=0))
        write_manifest(str(copy), replace(manifest, version=version))
        sync(copy / MANIFEST)
        try:
            os.rename(copy, root / str(version))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            continue
        sync(root)
        return version


def sync(path: Path) -> None:
    """Flush a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
