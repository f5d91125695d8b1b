"""Space set aside beside a SQLite store, so that a failure can be recorded on a full disk."""

from __future__ import annotations

import os

RESERVE_BYTES = 1 << 20


class Reserve:
    """A file of zeros next to the store. It is given up when the disk is full.

    Recording a failure rewrites about ten pages of 4 KiB, so that 1 MiB holds some twenty of them.

    Args:
        path: The file of the store; the reserve is `<path>.reserve`.
        size: Bytes to set aside.
    """

    def __init__(self, path: str, size: int = RESERVE_BYTES) -> None:
        self.path = f"{path}.reserve"
        self.size = size

    def restore(self) -> bool:
        """Set the space aside, unless it is or the disk is full; return whether it is."""
        try:
            if os.path.getsize(self.path) >= self.size:
                return True
        except OSError:
            pass
        try:
            with open(self.path, "wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, self.size)
                else:
                    file.write(bytes(self.size))
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> bool:
        """Give the space up; return whether there was any."""
        try:
            os.remove(self.path)
        except OSError:
            return False
        return True
