"""The bytes of requests that are in memory at once, over all doors."""

from __future__ import annotations

from penstock.server.errors import ResourceExhaustedError


class PendingBytes:
    """Counts the bytes of the requests in progress; used on the event loop.

    Args:
        most: The most bytes.

    Example:
        >>> pending = PendingBytes(1 << 30)
        >>> pending.add(4096)
        >>> pending.remove(4096)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._current = 0

    def add(self, size: int) -> None:
        """Count bytes that came in.

        Raises:
            ResourceExhaustedError: If there are too many; they are not counted then.
        """
        if self._current and self._current + size > self._most:
            raise ResourceExhaustedError(
                f"The server is busy: the requests in progress have {self._current:,} bytes. "
                "Try again later."
            )
        self._current += size

    def remove(self, size: int) -> None:
        """Count bytes that are no longer there."""
        self._current -= size
