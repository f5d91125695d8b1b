"""Which bytes the tag of a base image stands for: a file of digests beside the Dockerfile."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import Self

LOCK_FILE = "image.lock"

_HEADER = """\
# What the tags of base images stand for; `penstock image lock` writes it, `penstock image build` takes
# the base image by its digest.
"""


class LockError(ValueError):
    """The lock file says something that is not a tag and a digest."""


@dataclasses.dataclass(frozen=True)
class BaseLock:
    """Digests by tag.

    Args:
        digests: `sha256:...` by the tag as the Dockerfile names it.

    Example:
        >>> lock = BaseLock({"docker.io/library/python:3.11-slim": "sha256:" + "0" * 64})
        >>> lock.pinned("docker.io/library/python:3.11-slim")[:48]
        'docker.io/library/python@sha256:0000000000000000'
        >>> lock.pinned("docker.io/library/python:3.12-slim") is None
        True
    """

    digests: dict[str, str]

    @classmethod
    def read(cls, folder: str) -> Self:
        """Return the lock of a project; an empty one if it has none.

        Raises:
            LockError: If a line is not a tag and its digest.
        """
        path = os.path.join(folder, LOCK_FILE)
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            return cls({})
        digests = {}
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words or line.startswith("#"):
                continue
            if len(words) != 2 or not is_digest(words[1]):
                raise LockError(
                    f"{path}:{number}: a line holds a tag and its digest, as "
                    f"`python:3.11-slim sha256:<64 hexadecimal digits>`. Found: {line!r}"
                )
            digests[words[0]] = words[1]
        return cls(digests)

    def pinned(self, tag: str) -> str | None:
        """Return the reference by digest of a tag, as engines take it; None if it has none."""
        if "@" in tag:
            return tag
        digest = self.digests.get(tag)
        if digest is None:
            return None
        # A colon before the last slash is that of a registry's port.
        name, _, rest = tag.rpartition(":")
        return f"{tag if not name or '/' in rest else name}@{digest}"

    def with_digest(self, tag: str, digest: str) -> BaseLock:
        """Return a lock in which the tag stands for this digest.

        Raises:
            LockError: If it is no digest.
        """
        if not is_digest(digest):
            raise LockError(f"{digest!r} is not a digest, as sha256:<64 hexadecimal digits>")
        return BaseLock({**self.digests, tag: digest})

    def write(self, folder: str) -> str:
        """Write it into a project, and return the file's path."""
        path = os.path.join(folder, LOCK_FILE)
        lines = [f"{tag} {digest}\n" for tag, digest in sorted(self.digests.items())]
        with open(path, "w", encoding="utf-8") as file:
            file.write(_HEADER + "".join(lines))
        return path


def is_digest(text: str) -> bool:
    """Return whether a text is a digest as registries give it."""
    return re.fullmatch(r"sha256:[0-9a-f]{64}", text) is not None
