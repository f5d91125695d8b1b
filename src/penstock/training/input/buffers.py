"""Memory that is handed to TensorFlow without a copy, and used again when TensorFlow is done with it.

On a virtual machine the first touch of fresh memory costs more than what is written there.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

ALIGNMENT = 64
"""TensorFlow takes over a NumPy array whose address is a multiple of this, and copies any other."""
_MOST_FREE = 8
_UNUSED_REFERENCES = 3
"""Of a buffer: in the list, the loop's variable, and the argument of `getrefcount`."""


class ReusedBuffers:
    """Buffers of bytes; one is free again when no array uses it any more."""

    def __init__(self) -> None:
        self._buffers: list[npt.NDArray[np.uint8]] = []

    def take(self, size: int) -> npt.NDArray[np.uint8]:
        """Return `size` bytes at an aligned address; what is in them is arbitrary.

        They are in use as long as this array, or a view of it, exists.
        """
        for buffer in self._buffers:
            # A view of a view refers to the buffer itself.
            if sys.getrefcount(buffer) == _UNUSED_REFERENCES and len(buffer) >= size + ALIGNMENT:
                return _aligned(buffer, size)
        buffer = np.empty(size + ALIGNMENT, np.uint8)
        self._buffers = [*self._buffers, buffer][-_MOST_FREE:]
        return _aligned(buffer, size)


def _aligned(buffer: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size]


def aligned_size(size: int) -> int:
    """Return the next multiple of the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT
