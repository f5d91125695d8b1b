"""Times and sizes as people read and type them."""

from __future__ import annotations

import re

from penstock.quantities import duration as duration
from penstock.quantities import moment as moment
from penstock.quantities import size as size

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def parse_duration(text: str) -> float:
    """Return the seconds of `30d`, `12h`, `90m`, `45s` or `2w`.

    Raises:
        ValueError: If it is something else.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdw])", text.strip())
    if match is None:
        raise ValueError(
            f"a time is a number with s, m, h, d or w, such as 30d. Received: {text!r}"
        )
    return float(match[1]) * _SECONDS[match[2]]
