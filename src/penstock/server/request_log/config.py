"""What is logged of a model's requests, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RequestLogConfig:
    """What is logged of a model's requests, and where.

    Args:
        folder: Records go to `<folder>/<model>/served/`, those of shadows to `<folder>/<model>/shadow/`.
        sample: The share of requests that are logged, decided by their id.
        mask: Features, inputs and outputs that are left out.
        schema: The path of a schema; the features that it tags as `PII` are left out too.
        file_bytes: The bytes, before compression, after which a file is complete and a new one begins.
        file_seconds: The seconds after which it is.
        total_bytes: The most bytes of complete files in a folder; the oldest are removed.
        waiting_bytes: The most bytes of requests that wait to be written; others are dropped and counted.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> RequestLogConfig("requests", sample=0.1, schema="schema/schema.pbtxt")
    """

    folder: str
    sample: float = 1.0
    mask: tuple[str, ...] = ()
    schema: str | None = None
    file_bytes: int = 64 << 20
    file_seconds: float = 3600.0
    total_bytes: int = 10 << 30
    waiting_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        if not 0 <= self.sample <= 1:
            raise ValueError(f"sample is a share from 0 to 1. Received: {self.sample}")
        for name in ("file_bytes", "file_seconds", "total_bytes", "waiting_bytes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0. Received: {getattr(self, name)}")
