"""The arrays in IDX, `.npy` and `.npz` files, by name."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.io.arrays.idx import is_idx, parse_idx
from penstock.io.files.filesystem import open_decompressed

Array = npt.NDArray[Any]

_NPY, _NPZ = b"\x93NUMPY", b"PK"
_ENDINGS = re.compile(r"(\.npy|\.gz|\.bz2)+$")


class ArrayFileError(ValueError):
    """A file of arrays cannot be read, or arrays do not fit each other; the message names the file."""


def read_array_file(path: str) -> Mapping[str, Array]:
    """Return the arrays in a file; which format it has is seen from its first bytes.

    Args:
        path: A local path or an fsspec URL of an IDX, `.npy` or `.npz` file, also with `.gz` or `.bz2`.

    Returns:
        The arrays of an `.npz` file by their keys, each read when it is asked for. Any other file holds
        one array, whose name is that of the file without `.npy`, `.gz` and `.bz2`.

    Raises:
        ArrayFileError: If it is none of these, is damaged, or holds Python objects.

    Example:
        >>> list(read_array_file("data/digits/digits-labels-idx1-ubyte.gz"))
        ['digits-labels-idx1-ubyte']
    """
    name = _ENDINGS.sub("", path.rsplit("/", 1)[-1])
    try:
        with open_decompressed(path) as file:
            content = file.read()
        if content.startswith(_NPZ):
            return _Archive(path, content)
        if content.startswith(_NPY):
            return {name: _loaded(path, content)}
        if is_idx(content):
            return {name: parse_idx(content)}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArrayFileError(f"{path}: {error}") from error
    raise ArrayFileError(
        f"{path}: neither IDX nor NumPy's .npy or .npz: it begins with {content[:8]!r}. Let the pattern "
        "of input_config match the files of arrays only."
    )


class _Archive(Mapping[str, Array]):
    """The arrays of an `.npz` file."""

    def __init__(self, path: str, content: bytes) -> None:
        self._path = path
        self._arrays = np.load(io.BytesIO(content), allow_pickle=False)

    def __getitem__(self, name: str) -> Array:
        try:
            array: Array = self._arrays[name]
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ArrayFileError(_reason(f"{self._path}, array {name!r}", error)) from error
        return array

    def __iter__(self) -> Any:
        return iter(self._arrays.files)

    def __len__(self) -> int:
        return len(self._arrays.files)


def _loaded(path: str, content: bytes) -> Array:
    try:
        array: Array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ArrayFileError(_reason(path, error)) from error
    return array


def _reason(place: str, error: Exception) -> str:
    if "allow_pickle" in str(error):
        return (
            f"{place}: it holds Python objects, which are not read: unpickling runs code. Save it as "
            "numbers or strings, such as array.astype('U')."
        )
    return f"{place}: damaged: {error}"
