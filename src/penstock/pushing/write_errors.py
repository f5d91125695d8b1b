"""What a file system says when it is full or closed, in words."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator

from penstock.artifacts.location import is_local, list_files

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def in_words(destination: str, source: str) -> Iterator[None]:
    """Say why a model cannot be written to a destination.

    Raises:
        OSError: With the number of the one that was raised, what was needed, and where.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            needed = sum(size for _, size in list_files(source))
            raise OSError(
                error.errno,
                f"The model needs {_megabytes(needed)}, and there {_free(destination)}. Nothing was "
                "pushed",
                destination,
            ) from error
        if error.errno in _CLOSED and not str(error.filename).startswith(source):
            who = f"user {os.getuid()} " if is_local(destination) else ""
            raise PermissionError(
                error.errno,
                f"Models cannot be pushed here: {who}may not write to {error.filename or destination}",
                destination,
            ) from error
        raise


@contextlib.contextmanager
def not_allowed(destination: str, what: str) -> Iterator[None]:
    """Say what is not possible at a destination that may not be written to.

    Args:
        destination: The folder or URL of the versions.
        what: The beginning of the message: "Aliases cannot be changed here".

    Raises:
        PermissionError: If it may not be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _CLOSED:
            who = f"user {os.getuid()} " if is_local(destination) else ""
            text = f"{what}: {who}may not write to it"
            raise PermissionError(error.errno, text, destination) from error
        raise


def _free(destination: str) -> str:
    if not is_local(destination):
        return "is no space for it"
    path = os.path.abspath(destination)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return f"are {_megabytes(shutil.disk_usage(path).free)} free"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
