"""Values of a batch that are fetched from the device when a callback looks at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


class BatchLogs(dict[str, Any]):
    """A dict of numbers, which waits for the device at the first look at one of its values.

    Waiting after every step would keep the device idle while the next step is prepared, so callbacks
    that only count batches get by without it.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self._fetched = False

    def _fetch(self) -> None:
        if not self._fetched:
            self._fetched = True
            for name in list(dict.keys(self)):
                dict.__setitem__(self, name, number(dict.__getitem__(self, name)))

    def __getitem__(self, name: str) -> Any:
        self._fetch()
        return super().__getitem__(name)

    # An `__iter__` of one's own also keeps `dict(logs)` from copying what is not fetched yet.
    def __iter__(self) -> Iterator[str]:
        self._fetch()
        return super().__iter__()

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or `default`."""
        self._fetch()
        return super().get(name, default)

    def items(self) -> Any:
        """Return names and values."""
        self._fetch()
        return super().items()

    def values(self) -> Any:
        """Return the values."""
        self._fetch()
        return super().values()

    def copy(self) -> dict[str, Any]:
        """Return a plain dict."""
        return dict(self.items())

    def pop(self, *args: Any) -> Any:
        """Remove a value and return it."""
        self._fetch()
        return super().pop(*args)

    def __repr__(self) -> str:
        self._fetch()
        return super().__repr__()


def number(value: Any) -> Any:
    """Return a tensor as a float, or as an array if it has several values; anything else unchanged."""
    if isinstance(value, float | int | str) or value is None:
        return value
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return value
    return float(array) if array.ndim == 0 and array.dtype.kind in "biuf" else array
