"""Whether this process may crash or hang without harm to anyone: whoever started it watches it."""

from __future__ import annotations

_disposable = False


def declare_disposable() -> None:
    """Say that this process does one piece of work after another for a runner that notices its end."""
    global _disposable
    _disposable = True


def is_disposable() -> bool:
    """Return whether what might crash can be tried in this process."""
    return _disposable
