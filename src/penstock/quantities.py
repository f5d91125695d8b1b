"""Times and sizes as people read them."""

from __future__ import annotations

import datetime

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def duration(seconds: float | None) -> str:
    """Return a time span; `-` for None.

    Example:
        >>> duration(0.0123), duration(4.25), duration(83), duration(7384), duration(7200)
        ('12 ms', '4.2 s', '1 min 23 s', '2 h 3 min', '2 h')
    """
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        large, small = (whole // 60, "min"), (whole % 60, "s")
    elif whole < 86400:
        large, small = (whole // 3600, "h"), (whole % 3600 // 60, "min")
    else:
        large, small = (whole // 86400, "d"), (whole % 86400 // 3600, "h")
    return " ".join(f"{count} {unit}" for count, unit in (large, small) if count)


def size(count: float | None) -> str:
    """Return a number of bytes; `-` for None.

    Example:
        >>> size(0), size(1536), size(3 * 2**30)
        ('0 B', '1.5 KiB', '3.0 GiB')
    """
    if count is None:
        return "-"
    for unit in _UNITS:
        if abs(count) < 1024 or unit == _UNITS[-1]:
            break
        count /= 1024
    return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"


def moment(seconds: float | None) -> str:
    """Return a Unix time as local date and time; `-` for None."""
    if seconds is None:
        return "-"
    return f"{datetime.datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"
