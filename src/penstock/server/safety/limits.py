"""How much a request may ask for, and how long it may take to do so."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Limits:
    """The bounds of requests; what is beyond gets a 4xx or a gRPC status.

    Args:
        body_bytes: The most bytes of a request's body or message.
        header_bytes: The most bytes of a request's line and headers, or of gRPC metadata.
        rows: The most rows of a request.
        pending_bytes: The most bytes of bodies and messages that are in memory at once; requests beyond
            get 429 or RESOURCE_EXHAUSTED.
        connections: The most connections at once.
        header_seconds: How long a connection may be open without a whole request's headers.
        body_seconds: How long a body may take to arrive.
        write_seconds: How long a client may leave an answer unread.

    Raises:
        ValueError: If one is not above 0.

    Example:
        >>> Limits(body_bytes=1 << 20)
    """

    body_bytes: int = 64 << 20
    header_bytes: int = 32 << 10
    rows: int = 100_000
    pending_bytes: int = 1 << 30
    connections: int = 1024
    header_seconds: float = 10.0
    body_seconds: float = 60.0
    write_seconds: float = 60.0

    def __post_init__(self) -> None:
        for each in fields(self):
            if not getattr(self, each.name) > 0:
                raise ValueError(
                    f"{each.name} must be above 0. Received: {getattr(self, each.name)}"
                )
