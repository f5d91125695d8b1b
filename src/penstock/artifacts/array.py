"""A NumPy array as a value artifact."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, ClassVar

from penstock.artifacts.value import ValueArtifact

if TYPE_CHECKING:
    import numpy as np


class Array(ValueArtifact):
    """Numbers, strings or booleans of any shape in NumPy's format, `array.npy`.

    Example:
        >>> Array("/tmp/a").value = numpy.zeros((3, 2))
        >>> Array("/tmp/a").value.shape
        (3, 2)
    """

    URI_NAMES_FILE: ClassVar = False

    @property
    def value_uri(self) -> str:
        """The file in NumPy's format."""
        return f"{self.uri.rstrip('/')}/array.npy"

    def encode(self, value: Any) -> bytes:
        """Return the array in NumPy's format.

        Raises:
            TypeError: If it is not an array, or is an array of Python objects.
        """
        import numpy as np

        if not isinstance(value, np.ndarray) or value.dtype.hasobject:
            raise self._refuse(value, "a NumPy array of numbers, strings or booleans")
        sink = io.BytesIO()
        np.save(sink, value, allow_pickle=False)
        return sink.getvalue()

    def decode(self, data: bytes) -> np.ndarray[Any, Any]:
        """Return the array."""
        import numpy as np

        array: np.ndarray[Any, Any] = np.load(io.BytesIO(data), allow_pickle=False)
        return array
