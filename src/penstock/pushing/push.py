"""Pushing a model into a folder that a server watches: versioned and atomic."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from penstock.pushing.manifest import Manifest, describe_files, write_manifest
from penstock.serving.forms import SAVED_MODEL, form_of
from penstock.serving.saved_model import SavedModelInfo
from penstock.serving.versions import MANIFEST, version_names

Versioning = Literal["timestamp", "next"]

_STAGING = ".staging-"


@dataclass(frozen=True)
class PushedVersion:
    """A model where a server finds it.

    Args:
        path: Its folder, `<destination>/<version>`.
        version: The version.
        model: The SavedModel's description; None for a model in another form.
        form: "SavedModel", "scikit-learn estimator", "ONNX file" or "Keras file".
    """

    path: str
    version: int
    model: SavedModelInfo | None
    form: str = SAVED_MODEL


def push_model(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    versioning: Versioning = "timestamp",
    lineage: Mapping[str, Any] | None = None,
) -> PushedVersion:
    """Copy a model to `<destination>/<version>` in one visible step.

    The copy is made in a hidden folder beside the versions, flushed to disk, checked, and renamed.
    A server that watches the destination, as TensorFlow Serving does, never sees a part of it. The
    next push removes the remains of a crash.

    Args:
        source: The model's folder: a SavedModel, or one with `model.pkl`, `model.onnx` or `model.keras`.
        destination: The folder of all versions; created if missing.
        versioning: "timestamp" takes the time in seconds since 1970, as TFX does, "next" the latest
            version plus one. A version is always greater than those that are there.
        lineage: Where the model comes from, for its manifest: plain values by name.

    Returns:
        The pushed version.

    Raises:
        ModelError: If the source, or its copy, is incomplete.
        ValueError: If the destination is no folder, or lies in the model's own folder.

    Example:
        >>> push_model("Trainer/model/7/Format-Serving", "serving/penguin").path
        'serving/penguin/1795224504'
    """
    source, destination = os.fspath(source), os.fspath(destination)
    if "://" in destination:
        raise ValueError(
            "Models can currently be pushed only to local folders. Received: "
            f"destination={destination!r}"
        )
    if versioning not in ("timestamp", "next"):
        raise ValueError(
            f"versioning must be 'timestamp' or 'next'. Received: versioning={versioning!r}"
        )
    form_of(source)
    root = Path(destination)
    _check_destination(Path(source), root)
    root.mkdir(parents=True, exist_ok=True)
    sweep_staging(destination)
    with _staging(root) as staging:
        copy = staging / "model"
        shutil.copytree(source, copy, copy_function=shutil.copyfile)
        # A model that is pushed once more gets a manifest of its own.
        (copy / MANIFEST).unlink(missing_ok=True)
        form, info = form_of(str(copy))
        manifest = Manifest(0, form, describe_files(str(copy)), lineage or {})
        _flush(copy)
        version = _publish(copy, root, versioning, manifest)
    path = str(root / str(version))
    return PushedVersion(path, version, replace(info, path=path) if info else None, form)


def _check_destination(source: Path, root: Path) -> None:
    if root.resolve().is_relative_to(source.resolve()):
        raise ValueError(
            f"The destination {root} lies in the folder of the model, {source}, which would be copied "
            "into itself. Name a folder outside of it."
        )
    if os.path.lexists(root) and not root.is_dir():
        raise ValueError(
            f"Models are pushed to a folder of versions. Received: {root}, which is a file or a broken "
            "link."
        )


def sweep_staging(destination: str) -> list[str]:
    """Remove the remains of crashed pushes from a destination, and return their names.

    A push in progress holds a lock on its folder and is left alone.
    """
    swept = []
    for folder in Path(destination).glob(_STAGING + "*"):
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
        folder = Path(tempfile.mkdtemp(prefix=_STAGING, dir=root))
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def _publish(copy: Path, root: Path, versioning: Versioning, manifest: Manifest) -> int:
    """Rename the copy to the first free version; another push may take one at the same time."""
    os.chmod(copy, 0o755)
    while True:
        latest = max(map(int, version_names(str(root))), default=0)
        version = latest + 1
        if versioning == "timestamp":
            version = max(version, int(time.time()))
        write_manifest(str(copy), replace(manifest, version=version))
        _sync(copy / MANIFEST)
        try:
            os.rename(copy, root / str(version))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            continue
        _sync(root)
        return version


def _flush(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
