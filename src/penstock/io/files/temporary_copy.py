"""A folder behind a URL as one on this machine."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator

from penstock.artifacts import location


@contextlib.contextmanager
def temporary_copy(folder: str) -> Iterator[str]:
    """Give the path of a local folder, or of a copy of a remote one that is removed after the block.

    Args:
        folder: A path or an fsspec URL.

    Example:
        >>> with temporary_copy("gs://bucket/model/7") as path:
        ...     model = tf.saved_model.load(path)
    """
    if location.is_local(folder):
        yield location.local_path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="penstock-copy-") as copy:
        location.download(folder, copy)
        yield copy
