"""Opening, listing and renaming files by local path or fsspec URL."""

import bz2
import contextlib
import errno
import glob
import gzip
import io
import os
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


FilePath: TypeAlias = str | os.PathLike[str]
"""A local path or an fsspec URL, as public functions take it."""


def file_paths(files: FilePath | Sequence[FilePath]) -> list[str]:
    """Return paths as strings, also of a single one.

    Example:
        >>> file_paths("taxi.csv"), file_paths([Path("a.csv"), "gs://bucket/b.csv"])
        (['taxi.csv'], ['a.csv', 'gs://bucket/b.csv'])
    """
    return [
        os.fspath(each) for each in ([files] if isinstance(files, str | os.PathLike) else files)
    ]


def is_url(path: str) -> bool:
    """Return whether `path` names a file through an fsspec protocol (`gs://`, `s3://`, `memory://`)."""
    return "://" in path


def open_binary(path: FilePath) -> IO[bytes]:
    """Open a file for reading bytes.

    Args:
        path: A local path or an fsspec URL.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    path = os.fspath(path)
    if not is_url(path):
        return open(path, "rb")
    import fsspec

    return io.BufferedReader(_RemoteFile(path, fsspec.open(path, "rb").open()))


class _RemoteFile(io.RawIOBase):
    """A file behind a URL, whose failures name it; they are OSErrors with a number.

    A file system raises the errors of its client library, which seldom name the file.
    """

    def __init__(self, path: str, file: IO[bytes]) -> None:
        self._path = path
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        place = self._file.tell()
        try:
            content = self._file.read(len(view))
        except FileNotFoundError:
            raise
        except Exception as error:
            what = f"reading failed after byte {place}: {type(error).__name__}: {error}"
            raise OSError(errno.EIO, what, self._path) from error
        view[: len(content)] = content
        return len(content)

    def close(self) -> None:
        self._file.close()
        super().close()


def open_for_writing(path: str) -> IO[bytes]:
    """Open a file for writing bytes, replacing an existing one; its folder is created.

    Args:
        path: A local path or an fsspec URL.
    """
    if is_url(path):
        import fsspec

        return cast("IO[bytes]", fsspec.open(path, "wb").open())
    try:
        return open(path, "wb")
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return open(path, "wb")


@contextlib.contextmanager
def naming(path: str) -> Iterator[None]:
    """Add a file's name to an OSError without one, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = path
        raise


def rename(path: str, new_path: str) -> None:
    """Rename a file within its folder, replacing a file with the new name."""
    if not is_url(path):
        os.replace(path, new_path)
        return
    import fsspec

    file_system, inner = fsspec.core.url_to_fs(path)
    file_system.mv(inner, fsspec.core.url_to_fs(new_path)[1])


def remove(path: str) -> None:
    """Remove a file, if it exists."""
    if not is_url(path):
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        return
    import fsspec

    file_system, inner = fsspec.core.url_to_fs(path)
    with contextlib.suppress(FileNotFoundError):
        file_system.rm_file(inner)


def open_decompressed(path: str) -> IO[bytes]:
    """Open a file for reading bytes, decompressed if it ends in `.gz` or `.bz2`.

    Args:
        path: A local path or an fsspec URL.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not path.endswith((".gz", ".bz2")):
        return open_binary(path)
    if is_url(path):
        import fsspec

        opened = fsspec.open(path, "rb", compression="infer").open()
        return io.BufferedReader(_RemoteFile(path, opened))
    return cast("IO[bytes]", (gzip if path.endswith(".gz") else bz2).open(path, "rb"))


def list_matching(pattern: FilePath) -> list[str]:
    """List the files that match a glob pattern, sorted, without hidden ones.

    A name that starts with `.` or `_` is bookkeeping of some tool (`.DS_Store`, `_SUCCESS`), not
    data, and is left out unless the pattern begins so, too; directories are left out. Brackets in
    the name of a file or folder that exists are a part of its name.

    Args:
        pattern: A local glob pattern or an fsspec URL with wildcards in its path.

    Raises:
        FileNotFoundError: If a link that matches leads nowhere.
    """
    pattern = os.fspath(pattern)
    if is_url(pattern):
        import fsspec

        file_system, path = fsspec.core.url_to_fs(pattern)
        found = [
            file_system.unstrip_protocol(name)
            for name, entry in file_system.glob(
                _escaped_where_there(path, file_system.exists), detail=True
            ).items()
            if entry["type"] == "file"
        ]
    else:
        matching = glob.glob(literal_brackets(pattern), recursive=True)
        found = [name for name in matching if os.path.isfile(name)]
        for name in matching:
            if os.path.islink(name) and not os.path.exists(name) and not _is_bookkeeping(name):
                target = os.readlink(name)
                raise FileNotFoundError(
                    errno.ENOENT, f"a link to {target}, which is not there", name
                )
    if _is_bookkeeping(pattern):
        return sorted(found)
    return sorted(name for name in found if not _is_bookkeeping(name))


def _is_bookkeeping(path: str) -> bool:
    return path.rsplit("/", 1)[-1].startswith((".", "_"))


def literal_brackets(pattern: str, base: str = "") -> str:
    """Escape brackets in those parts of a pattern that exist as they are written.

    Args:
        pattern: A local glob pattern, relative to `base` if there is one.
        base: A folder; a local path or an fsspec URL.
    """
    if not is_url(base):
        return _escaped_where_there(pattern, lambda part: os.path.exists(join(base, part)))
    import fsspec

    file_system, root = fsspec.core.url_to_fs(base)
    return _escaped_where_there(pattern, lambda part: bool(file_system.exists(join(root, part))))


def _escaped_where_there(pattern: str, exists: Callable[[str], bool]) -> str:
    parts = pattern.split("/")
    return "/".join(
        part.replace("[", "[[]") if "[" in part and exists("/".join(parts[: i + 1])) else part
        for i, part in enumerate(parts)
    )


def list_directory(path: str) -> list[str]:
    """List the names in a directory, sorted; an absent directory has none."""
    if is_url(path):
        import fsspec

        file_system, inner = fsspec.core.url_to_fs(path)
        if not file_system.isdir(inner):
            return []
        entries: list[Any] = file_system.ls(inner, detail=False)
        return sorted(str(entry).rstrip("/").rsplit("/", 1)[-1] for entry in entries)
    return sorted(os.listdir(path)) if os.path.isdir(path) else []


def canonical(path: str) -> str:
    """Return a URL as its file system spells it, so that it is a prefix of the names listed below it."""
    if not is_url(path):
        return path
    import fsspec

    file_system, inner = fsspec.core.url_to_fs(path)
    return str(file_system.unstrip_protocol(inner))


def join(base: str, *parts: str) -> str:
    """Join a path or URL with relative parts, using `/`."""
    return "/".join([base.rstrip("/") or "/", *parts]) if base else "/".join(parts)


def file_size(path: str) -> int:
    """Return the size of a file in bytes."""
    if not is_url(path):
        return os.path.getsize(path)
    import fsspec

    file_system, inner = fsspec.core.url_to_fs(path)
    return int(file_system.size(inner))
