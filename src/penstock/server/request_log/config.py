"""What is logged of a model's requests, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.spelling import closest


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

    @classmethod
    def from_config(cls, where: str, config: Mapping[str, Any]) -> RequestLogConfig:
        """Read a `request_log` of a config file.

        Args:
            where: Its place, for messages.
            config: The fields by name.

        Raises:
            ValueError: If a field is unknown, absent or has a value that makes no sense.
        """
        known = tuple(cls.__dataclass_fields__)
        for name in config:
            if name not in known:
                near = closest(name, known)
                hint = f" Did you mean {near!r}?" if near else ""
                raise ValueError(f"{where} has no field {name!r}.{hint} Fields: {', '.join(known)}")
        kinds: dict[str, tuple[str, type | tuple[type, ...]]] = {
            "folder": ("text", str),
            "schema": ("text", (str, type(None))),
            "mask": ("a list of names", (list, tuple)),
        }
        for name, value in config.items():
            words, kind = kinds.get(name, ("a number", (int, float)))
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ValueError(f"{where}.{name} takes {words}. Received: {value!r}")
        if "folder" not in config:
            raise ValueError(f"{where} needs a folder.")
        values = dict(config)
        if not all(isinstance(name, str) for name in values.get("mask", ())):
            raise ValueError(f"{where}.mask takes a list of names. Received: {values['mask']!r}")
        values["mask"] = tuple(values.get("mask", ()))
        try:
            return cls(**values)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
