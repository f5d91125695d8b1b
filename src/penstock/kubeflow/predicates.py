"""Queries of Kubeflow's lists: filters, pages, times."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from penstock.kubeflow.transport import Transport

_PAGE = 100


def equals(**fields: str) -> str:
    """Return the filter that lets through what has these values.

    Example:
        >>> equals(display_name="a")
        '{"predicates": [{"key": "display_name", "operation": "EQUALS", "string_value": "a"}]}'
    """
    predicates = [
        {"key": key, "operation": "EQUALS", "string_value": value} for key, value in fields.items()
    ]
    return json.dumps({"predicates": predicates})


def listed(
    transport: Transport,
    path: str,
    key: str,
    query: Mapping[str, Any] | None = None,
    *,
    most: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield what a list holds, page by page.

    Args:
        transport: The server.
        path: Of the list.
        key: Under which an answer holds the page.
        query: Filter, order and namespace.
        most: How many at most.
    """
    token = None
    left = most
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        page = transport.get(path, {"page_size": size, "page_token": token, **(query or {})})
        found = page.get(key) or []
        yield from found[:left]
        token = page.get("next_page_token")
        if not token or not found:
            return
        left = None if left is None else left - len(found)


def seconds_of(text: Any) -> float | None:
    """Return a timestamp of the API in seconds since 1970; None for none, and for Go's empty time.

    Example:
        >>> seconds_of("1970-01-01T00:01:00Z"), seconds_of("0001-01-01T00:00:00Z"), seconds_of(None)
        (60.0, None, None)
    """
    if not isinstance(text, str) or not text:
        return None
    try:
        seconds = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None
