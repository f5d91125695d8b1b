"""How deep JSON is nested, without parsing it."""

from __future__ import annotations

import re

DEEPEST_JSON = 64
"""The deepest nesting that is read: tensors have 32 dimensions at most."""

_BRACKETS = b"[]{}"
_OTHERS = bytes(byte for byte in range(256) if byte not in _BRACKETS)
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def is_too_deep(body: bytes, limit: int = DEEPEST_JSON) -> bool:
    """Return whether JSON is nested deeper than a limit.

    Each pass takes the innermost brackets away, at the speed of `bytes.replace`. What is no JSON, or has
    brackets that match within its texts, may get either answer: parsers have a limit of their own.

    Example:
        >>> is_too_deep(b'{"a": [1, [2]]}', 2), is_too_deep(b'{"a": [1, 2]}', 2)
        (True, False)
    """
    if not _is_deeper(body, limit):
        return False
    return b'"' not in body or _is_deeper(_TEXTS.sub(b"", body), limit)


def _is_deeper(body: bytes, limit: int) -> bool:
    left = body.translate(None, _OTHERS)
    if left.count(b"[") + left.count(b"{") <= limit:
        return False
    for _ in range(limit):
        shorter = left.replace(b"[]", b"").replace(b"{}", b"")
        if len(shorter) == len(left):
            return False  # they do not match
        left = shorter
    return bool(left)
