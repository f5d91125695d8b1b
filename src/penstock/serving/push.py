"""Pushing a model into a folder that a server watches: versioned and atomic."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from penstock.serving.saved_model import SavedModelInfo, inspect_saved_model

Versioning = Literal["timestamp", "next"]

SAVED_MODEL = "SavedModel"
_OTHER_FORMS = {
    "model.pkl": "scikit-learn estimator",
    "model.onnx": "ONNX file",
    "model.keras": "Keras file",
}
_STAGING = ".staging-"
_VERSION = re.compile("[0-9]+")


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
        _flush(copy)
        form, info = form_of(str(copy))
        version = _publish(copy, root, versioning)
    path = str(root / str(version))
    return PushedVersion(path, version, replace(info, path=path) if info else None, form)


def form_of(folder: str) -> tuple[str, SavedModelInfo | None]:
    """Return in which form a model is in a folder, and a SavedModel's description.

    Raises:
        ModelError: If there is no model, or an incomplete SavedModel.
    """
    if not os.path.exists(f"{folder}/saved_model.pb"):
        for file, form in _OTHER_FORMS.items():
            if os.path.isfile(f"{folder}/{file}"):
                return form, None
    return SAVED_MODEL, inspect_saved_model(folder)


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


def list_versions(destination: str) -> list[int]:
    """Return the versions in a destination, ascending."""
    return list(version_folders(destination))


def version_folders(destination: str) -> dict[int, str]:
    """Return the folder of each version in a destination, ascending.

    A version is a folder whose name is a number, which may start with zeros, as TensorFlow Serving reads
    it. Of two folders with the same number the one with fewer zeros counts.
    """
    root = Path(destination)
    names = sorted(_numbers(root), key=lambda name: (int(name), -len(name)))
    return {int(name): str(root / name) for name in names if (root / name).is_dir()}


def _numbers(root: Path) -> list[str]:
    """Return the names in a folder that are numbers of 64 bits."""
    names = os.listdir(root) if root.is_dir() else []
    return [name for name in names if _VERSION.fullmatch(name) and int(name) < 2**63]


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


def _publish(copy: Path, root: Path, versioning: Versioning) -> int:
    """Rename the copy to the first free version; another push may take one at the same time."""
    os.chmod(copy, 0o755)
    while True:
        latest = max(map(int, _numbers(root)), default=0)
        version = latest + 1
        if versioning == "timestamp":
            version = max(version, int(time.time()))
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
