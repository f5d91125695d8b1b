"""A number for each row, so that equal rows are found without comparing them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def row_hashes(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return a 64-bit hash of each row of some columns; equal rows have equal hashes.

    Numbers count by their value as a float64, so that 1 and 1.0 are equal. The hash is a sum of mixed
    values times odd numbers, mixed by the finalizer of splitmix64 (Steele et al. 2014).

    Args:
        columns: Arrays with rows first, all of the same length.

    Example:
        >>> first, second, third = row_hashes([np.array([1, 2, 1]), np.array([b"a", b"a", b"a"])])
        >>> first == third, first == second
        (True, False)
    """
    import numpy as np

    if not columns or not len(columns[0]):
        return np.zeros(0, np.uint64)
    hashes = np.zeros(len(columns[0]), np.uint64)
    for position, values in enumerate(columns, 1):
        mixed = _mixed(_bits(values.reshape(len(values), -1)) + np.uint64(position))
        places = _mixed(np.arange(1, mixed.shape[1] + 1, dtype=np.uint64)) | np.uint64(1)
        hashes = _mixed(hashes + (mixed * places).sum(axis=1, dtype=np.uint64))
    return hashes


def _bits(values: np.ndarray) -> np.ndarray:
    import numpy as np

    if values.dtype.kind in "biuf":
        floats = values.astype(np.float64) + 0.0  # -0.0 is 0.0
        return floats.view(np.uint64).reshape(values.shape)
    known: dict[object, int] = {}

    def number(value: object) -> int:
        text = value if isinstance(value, bytes) else str(value).encode()
        return known.setdefault(value, zlib.crc32(text) << 32 | zlib.adler32(text))

    numbers = np.fromiter(map(number, values.ravel()), np.uint64, values.size)
    return numbers.reshape(values.shape)


def _mixed(bits: np.ndarray) -> np.ndarray:
    import numpy as np

    with np.errstate(over="ignore"):
        bits = bits + np.uint64(0x9E3779B97F4A7C15)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: np.ndarray = bits ^ (bits >> np.uint64(31))
    return mixed
