"""The manifest of a pushed version: what belongs to it, with sizes and checksums.

It is the file `penstock_manifest.json` in the version's folder, written last:

    {"format": 1, "version": 7, "form": "SavedModel", "pushed": "2026-11-21T09:30:00Z",
     "files": {"saved_model.pb": {"size": 81920, "sha256": "9f86d0..."}},
     "lineage": {"run": "20261121-0930", "metrics": {"auc": 0.71}}}

A folder that TFX pushed has none; it is served without the check.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.artifacts.location import list_files, read_bytes, write_bytes
from penstock.io.files.filesystem import join, open_binary
from penstock.serving.saved_model import ModelError
from penstock.serving.versions import MANIFEST

FORMAT = 1
_BLOCK = 1 << 20


@dataclass(frozen=True)
class FileEntry:
    """A file of a version.

    Args:
        size: Its size in bytes.
        sha256: The SHA-256 of its content, as 64 hexadecimal digits.
    """

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What belongs to a pushed version.

    Args:
        version: The version.
        form: "SavedModel", "scikit-learn estimator", "ONNX file" or "Keras file".
        files: Each file by its path in the version's folder.
        lineage: Where the model comes from: plain values by name, such as the run and the metrics.
        pushed: When it was pushed, in UTC as "2026-11-21T09:30:00Z"; "" if it is not said.
    """

    version: int
    form: str
    files: Mapping[str, FileEntry] = field(repr=False)
    lineage: Mapping[str, Any] = field(default_factory=dict, repr=False)
    pushed: str = ""

    @property
    def num_bytes(self) -> int:
        """The size of all its files."""
        return sum(entry.size for entry in self.files.values())


def read_manifest(folder: str) -> Manifest | None:
    """Return the manifest of a pushed version, or None if it has none.

    Args:
        folder: The version's folder; a path or an fsspec URL.

    Raises:
        ModelError: If the manifest is damaged or of a newer format.

    Example:
        >>> read_manifest("serving/taxi/7").form
        'SavedModel'
    """
    path = join(folder, MANIFEST)
    try:
        content = json.loads(read_bytes(path))
        found = content["format"]
        if found != FORMAT:
            raise ModelError(
                f"{path} has the format {found}, written by a newer Penstock. This one reads format "
                f"{FORMAT}."
            )
        files = {
            name: FileEntry(int(entry["size"]), str(entry["sha256"]))
            for name, entry in content["files"].items()
        }
        return Manifest(
            int(content["version"]),
            str(content["form"]),
            files,
            dict(content.get("lineage") or {}),
            str(content.get("pushed") or ""),
        )
    except FileNotFoundError:
        return None
    except ModelError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} is damaged: {type(error).__name__}: {error}") from error


def verify_manifest(folder: str) -> Manifest | None:
    """Check each file of a pushed version against its manifest, and return the manifest.

    Files that the manifest does not name, such as warm-up requests added later, are left alone.

    Args:
        folder: The version's folder; a path or an fsspec URL.

    Returns:
        The manifest; None if the version has none and so is unverified.

    Raises:
        ModelError: If a file is missing, or its size or content is another; the message names it.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    sizes = dict(list_files(folder))
    for name, entry in manifest.files.items():
        path = join(folder, name)
        if name not in sizes:
            raise ModelError(f"{path} is missing, which the manifest beside it names.")
        if sizes[name] != entry.size:
            raise ModelError(
                f"{path} has {sizes[name]} bytes. Its manifest says {entry.size}: the version is "
                "damaged, or was changed after it was pushed."
            )
    for name, entry in manifest.files.items():
        path = join(folder, name)
        if checksum(path) != entry.sha256:
            raise ModelError(
                f"{path} has another content than its manifest says: the version is damaged, or was "
                "changed after it was pushed."
            )
    return manifest


def write_manifest(folder: str, manifest: Manifest) -> None:
    """Write the manifest of a version into its folder; a path or an fsspec URL."""
    content = {
        "format": FORMAT,
        "version": manifest.version,
        "form": manifest.form,
        "pushed": manifest.pushed,
        "files": {
            name: {"size": entry.size, "sha256": entry.sha256}
            for name, entry in sorted(manifest.files.items())
        },
        "lineage": dict(manifest.lineage),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_bytes(join(folder, MANIFEST), text.encode())


def describe_files(folder: str) -> dict[str, FileEntry]:
    """Return each file in a folder by its path there, without a manifest."""
    return {
        name: FileEntry(size, checksum(join(folder, name)))
        for name, size in list_files(folder)
        if name != MANIFEST
    }


def checksum(path: str) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with open_binary(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
