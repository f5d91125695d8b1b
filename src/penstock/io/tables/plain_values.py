"""Python values, such as those from a database's driver, in the types that a tf.Example holds."""

from __future__ import annotations

import datetime
import decimal
import ipaddress
import json
import uuid
from typing import Any


def plain_value(cell: Any) -> Any:
    """Return a Python value as an int, a float, bytes, None or a list of these, if possible.

    Booleans become 0 and 1, decimals floats, dates and times ISO 8601 text, intervals hours
    (`26:03:04`), dicts JSON text, UUIDs and IP addresses text. Anything else is returned unchanged.

    Example:
        >>> plain_value(datetime.date(2026, 1, 31)), plain_value(uuid.UUID(int=7)), plain_value({"a": 1})
        (b'2026-01-31', b'00000000-0000-0000-0000-000000000007', b'{"a": 1}')
    """
    if cell is None or type(cell) in (int, float, bytes):
        return cell
    if isinstance(cell, bool):
        return int(cell)
    if isinstance(cell, decimal.Decimal):
        return float(cell)
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat().replace("+00:00", "Z").encode()
    if isinstance(cell, list | tuple):
        return [plain_value(value) for value in cell]
    if isinstance(cell, dict):
        return json.dumps(cell, sort_keys=True).encode()
    if isinstance(cell, bytearray | memoryview):
        return bytes(cell)
    if isinstance(cell, datetime.timedelta):
        return _hours(cell).encode()
    return str(cell).encode() if isinstance(cell, (str, uuid.UUID, *_ADDRESSES)) else cell


_ADDRESSES = (
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Interface,
    ipaddress.IPv6Interface,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)


def _hours(span: datetime.timedelta) -> str:
    """Return a time of day from MySQL's driver, or an interval, as [-]12:30:00[.000000]."""
    minutes, seconds = divmod(abs(span), datetime.timedelta(minutes=1))
    micros = f".{seconds.microseconds:06}" if seconds.microseconds else ""
    sign = "-" if span < datetime.timedelta() else ""
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds.seconds:02}{micros}"
