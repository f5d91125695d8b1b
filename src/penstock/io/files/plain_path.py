"""Paths that TensorFlow does not take for patterns."""

from __future__ import annotations

import hashlib
import os
import tempfile

_PATTERN_CHARACTERS = frozenset("*?[\\")


def plain_path(path: str) -> str:
    """Return a path to the same folder without `*`, `?`, `[` and backslashes.

    TensorFlow reads the path of a SavedModel's variables as a pattern, and cannot quote a character: it
    finds no model below a folder such as `taxi [v2]`. Such a path becomes a symbolic link in a folder of
    this user below the system's folder for temporary files, one link per path. Any other path, and a
    URL, is returned as it is.

    Args:
        path: A local path or an fsspec URL.

    Raises:
        PermissionError: If the folder of the links belongs to someone else.

    Example:
        >>> plain_path("/data/model/7")
        '/data/model/7'
    """
    if "://" in path or _PATTERN_CHARACTERS.isdisjoint(path):
        return path
    target = os.path.abspath(path)
    link = os.path.join(_folder_of_links(), hashlib.sha256(target.encode()).hexdigest()[:32])
    if not os.path.islink(link):
        new = f"{link}.{os.getpid()}"
        os.symlink(target, new)
        os.replace(new, link)
    return link


def _folder_of_links() -> str:
    folder = os.path.join(tempfile.gettempdir(), f"penstock-links-{os.getuid()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.stat(folder, follow_symlinks=False).st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user; remove it, or set TMPDIR.")
    return folder
