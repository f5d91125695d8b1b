"""Fingerprints: what an artifact contains, in 64 hex digits."""

from __future__ import annotations

import hashlib
import os

from penstock.artifacts import location

_BLOCK = 1 << 20


def digest_file(path: str) -> str:
    """Return the SHA-256 of a local file's content as 64 hex digits.

    Raises:
        FileNotFoundError: If the file does not exist.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < _BLOCK:
            return hashlib.sha256(file.read()).hexdigest()
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(uri: str) -> tuple[str, int]:
    """Return (digest, size in bytes) of everything at `uri`.

    The digest is SHA-256 over each file's relative path, a NUL, and the SHA-256 of its content, in
    the order of the paths. Names of folders above `uri`, times and permissions do not count, so a
    copied or moved artifact keeps its fingerprint.

    Args:
        uri: A folder or a file.

    Raises:
        FileNotFoundError: If there is nothing at `uri`.
    """
    whole = hashlib.sha256()
    total = 0
    local = location.is_local(uri)
    root = location.local_path(uri) if local else uri
    single = not os.path.isdir(root) if local else location.is_file(uri)
    for name, size in location.list_files(uri):
        if local:
            digest = digest_file(root if single else os.path.join(root, name))
        else:
            data = location.read_bytes(uri if single else f"{uri.rstrip('/')}/{name}")
            digest = hashlib.sha256(data).hexdigest()
        whole.update(b"value" if single else name.encode("utf-8", "surrogateescape"))
        whole.update(b"\0")
        whole.update(bytes.fromhex(digest))
        total += size
    return whole.hexdigest(), total
