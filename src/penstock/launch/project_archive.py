"""A project's user code as one content-hashed archive, for machines that do not have the project."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator

from penstock.artifacts import location

_LEFT_OUT = frozenset({"build", "dist", "node_modules", "venv", "benchmarks", "docs", "tests"})
"""Folders at the top of a project that no component needs."""

LARGEST_BYTES = 64 << 20
"""An archive above this size is refused: data belongs under a root that all machines read."""


class ArchiveError(ValueError):
    """A project cannot be packed, or an archive does not match the digest in its name."""


def pack_project(project_root: str) -> tuple[bytes, str]:
    """Return (archive, SHA-256 of it) of a project's files.

    The same files give the same bytes: names are sorted, times and owners left out. Hidden files, byte
    code, environments, builds, tests, documents and what `penstock` itself writes are not in it.

    Args:
        project_root: Folder that user code is imported from.

    Raises:
        ArchiveError: If the project is larger than 64 MiB.
    """
    packed = io.BytesIO()
    total = 0
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name in sorted(_files(project_root)):
            path = os.path.join(project_root, name)
            total += os.path.getsize(path)
            if total > LARGEST_BYTES:
                raise ArchiveError(
                    f"The project {project_root} holds more than {LARGEST_BYTES >> 20} MiB (at "
                    f"{name}). Keep data outside it, under a root that all machines read."
                )
            entry = tarfile.TarInfo(name)
            with open(path, "rb") as file:
                data = file.read()
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    content = packed.getvalue()
    return content, hashlib.sha256(content).hexdigest()


def upload_project(project_root: str, folder: str) -> str:
    """Write a project's archive to `{folder}/{sha256}.tar.gz` unless it is there; return that URL.

    Raises:
        ArchiveError: As `pack_project`.
    """
    content, digest = pack_project(project_root)
    url = f"{folder.rstrip('/')}/{digest}.tar.gz"
    if not location.exists(url):
        location.write_bytes(url, content)
    return url


def unpack_project(url: str, folder: str | None = None) -> str:
    """Return a local folder that holds the project of an archive; the digest in its name is checked.

    Args:
        url: What `upload_project` returned.
        folder: Where to unpack; a new temporary folder by default.

    Raises:
        ArchiveError: If the content does not match the digest in its name.
        FileNotFoundError: If there is no such archive.
    """
    content = location.read_bytes(url)
    expected = os.path.basename(url).removesuffix(".tar.gz")
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise ArchiveError(
            f"The project archive {url} was changed: its content has the digest {found}"
        )
    target = folder or tempfile.mkdtemp(prefix="penstock-project-")
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        _extract(archive, target)
    return target


def unpack_project_once(url: str, folder: str) -> None:
    """Unpack a project's archive at a folder of its own, unless an earlier process has done so.

    Args:
        url: What `upload_project` returned.
        folder: The folder, the same on each machine that user code is imported on.

    Raises:
        ArchiveError: If the content does not match the digest in its name.
        FileNotFoundError: If there is no such archive.
    """
    if os.path.exists(folder):
        return
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    unfinished = tempfile.mkdtemp(prefix=".unpacking-", dir=os.path.dirname(folder))
    unpack_project(url, unfinished)
    os.rename(unfinished, folder)


def _extract(archive: tarfile.TarFile, target: str) -> None:
    if hasattr(tarfile, "data_filter"):
        archive.extractall(target, filter="data")
        return
    # Python before 3.11.4 has no filter: only plain files below the target are taken.
    root = os.path.realpath(target)
    for member in archive.getmembers():
        path = os.path.realpath(os.path.join(root, member.name))
        if not (member.isfile() or member.isdir()) or os.path.commonpath([root, path]) != root:
            raise ArchiveError(
                f"The project archive holds {member.name!r}, which is not a file inside it"
            )
    archive.extractall(target)


def _files(root: str) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            each
            for each in folders
            if each != "__pycache__"
            and not each.startswith(".")
            and not (folder == root and each in _LEFT_OUT)
        )
        for name in names:
            path = os.path.join(folder, name)
            if name.startswith(".") or name.endswith((".pyc", ".egg-info")):
                continue
            if os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, root)
