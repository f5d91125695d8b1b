"""What is known of the request that is being answered: its id, its headers, and who answered."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}")


@dataclass
class RequestContext:
    """A request that is being answered.

    Args:
        id: Its id: the client's own, or a new one.
        door: The interface that it came by: "rest", "v2", "rows" or "grpc".
        headers: Its headers or metadata, by name in lower case.
        time: When it came, in seconds since 1970.
        model: The model that it asks, once that is known to exist.
        answered_by: The versions that answered, with the label that led there.
        rows: How many rows were answered.
    """

    id: str
    door: str
    headers: Mapping[str, str]
    time: float = field(default_factory=time.time)
    model: str = ""
    answered_by: list[tuple[int, str | None]] = field(default_factory=list)
    rows: int = 0

    @property
    def versions(self) -> str:
        """The versions that answered, as headers give them back."""
        if len(self.answered_by) == 1:
            return str(self.answered_by[0][0])
        return ",".join(dict.fromkeys(str(version) for version, _ in self.answered_by))

    @property
    def labels(self) -> str:
        """The labels that led to them."""
        if len(self.answered_by) == 1:
            return self.answered_by[0][1] or ""
        return ",".join(dict.fromkeys(label for _, label in self.answered_by if label))


REQUEST: ContextVar[RequestContext | None] = ContextVar("penstock_request", default=None)
"""The request that is being answered."""


def new_request(door: str, headers: Mapping[str, str]) -> RequestContext:
    """Return the context of a request, with the id in its `x-request-id` if that is a plain one.

    Example:
        >>> new_request("rest", {"x-request-id": "order-17"}).id
        'order-17'
    """
    given = headers.get("x-request-id", "")
    if not _ID.fullmatch(given):
        given = f"{random.getrandbits(128):032x}"  # no secret, and far faster than a UUID
    return RequestContext(given, door, headers)
