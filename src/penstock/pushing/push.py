"""Pushing a model to where servers find it: versioned, and whole or not at all."""

from __future__ import annotations

import datetime
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from penstock.artifacts.location import is_local, local_path
from penstock.io.files.filesystem import join
from penstock.pushing.answers import check_answers
from penstock.pushing.destination import check_url
from penstock.pushing.fetch import download
from penstock.pushing.local_folder import push_to_folder
from penstock.pushing.manifest import Manifest, describe_files
from penstock.pushing.object_store import push_to_store, timestamp_or_next
from penstock.pushing.retention import apply_retention, check_keep
from penstock.pushing.write_errors import in_words
from penstock.serving.forms import SAVED_MODEL, form_of
from penstock.serving.saved_model import SavedModelInfo

Versioning = Literal["timestamp", "next"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PushedVersion:
    """A model where a server finds it.

    Args:
        path: Its folder, `<destination>/<version>`.
        version: The version.
        model: The SavedModel's description; None for a model in another form.
        form: "SavedModel", "scikit-learn estimator", "ONNX file" or "Keras file".
        removed: The versions that retention removed.
    """

    path: str
    version: int
    model: SavedModelInfo | None
    form: str = SAVED_MODEL
    removed: tuple[int, ...] = ()


def push_model(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    versioning: Versioning = "timestamp",
    lineage: Mapping[str, Any] | None = None,
    keep: int | None = None,
    answers_within: float | None = None,
) -> PushedVersion:
    """Copy a model to `<destination>/<version>`, where it is seen whole or not at all.

    In a folder the copy is made in a hidden folder beside the versions, flushed to disk, checked, and
    renamed. A server that watches the folder, as TensorFlow Serving does, never sees a part of it. On an
    object store the files are uploaded one by one, and the manifest last: `penstock serve` and
    `load_model` take a version that has one. The next push removes the remains of a crash.

    Args:
        source: The model's folder: a SavedModel, or one with `model.pkl`, `model.onnx` or `model.keras`.
        destination: The folder of all versions, created if missing; a path or an fsspec URL.
        versioning: "timestamp" takes the time in seconds since 1970, as TFX does, "next" the latest
            version plus one. A version is always greater than those that are there.
        lineage: Where the model comes from, for its manifest: plain values by name.
        keep: Remove older versions than the newest so many. What an alias names, or named before, what a
            server has a lease on, and what other tools pushed stays. All versions stay by default. If
            they cannot be removed, that is a warning.
        answers_within: Load the copy in a process of its own and ask it, before it is seen; it may take
            so many seconds. It is not tried by default.

    Returns:
        The pushed version.

    Raises:
        ModelError: If the source or its copy is incomplete, or the copy does not load or answer.
        ValueError: If the destination is no folder, or lies in the model's own folder.
        OSError: If the destination is full or may not be written to; nothing is left there.

    Example:
        >>> push_model("Trainer/model/7/Format-Serving", "serving/penguin").path
        'serving/penguin/1795224504'
    """
    source, destination = os.fspath(source), os.fspath(destination)
    if versioning not in ("timestamp", "next"):
        raise ValueError(
            f"versioning must be 'timestamp' or 'next'. Received: versioning={versioning!r}"
        )
    check_keep(keep)
    form, info = form_of(source)
    now = datetime.datetime.now(datetime.UTC)
    manifest = Manifest(0, form, {}, lineage or {}, f"{now:%Y-%m-%dT%H:%M:%SZ}")
    if is_local(destination):
        destination = local_path(destination)
        version = _to_folder(source, Path(destination), manifest, versioning, answers_within)
    else:
        check_url(destination)
        version = _to_store(source, destination, manifest, versioning, answers_within)
    path = join(destination, str(version))
    removed = () if keep is None else _remove_old(destination, keep)
    return PushedVersion(path, version, replace(info, path=path) if info else None, form, removed)


def _remove_old(destination: str, keep: int) -> tuple[int, ...]:
    try:
        return apply_retention(destination, keep).removed
    except Exception as error:  # each store has errors of its own; the model is pushed all the same
        _log.warning("Old versions at %s stay: %s", destination, error)
        return ()


def _to_folder(
    source: str, root: Path, manifest: Manifest, versioning: str, answers_within: float | None
) -> int:
    _check_folder(Path(source), root)

    def check(copy: str) -> None:
        form_of(copy)
        if answers_within is not None:
            check_answers(copy, seconds=answers_within)

    with in_words(str(root), source):
        return push_to_folder(
            source, root, manifest, first=timestamp_or_next(versioning), check=check
        )


def _to_store(
    source: str, destination: str, manifest: Manifest, versioning: str, answers_within: float | None
) -> int:
    def check(folder: str) -> None:
        if answers_within is not None:
            with tempfile.TemporaryDirectory(prefix="penstock-push-") as copy:
                download(folder, copy)
                check_answers(copy, seconds=answers_within)

    with in_words(destination, source):
        return push_to_store(
            source,
            destination,
            replace(manifest, files=describe_files(source)),
            first=timestamp_or_next(versioning),
            check=check,
        )


def _check_folder(source: Path, root: Path) -> None:
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
