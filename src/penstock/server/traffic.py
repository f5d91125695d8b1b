"""Which version answers a request: a split of the traffic, and shadows that see a copy of it.

Both are deterministic by a key: a request with the same key goes to the same version, in every process
and after every restart, as long as the shares stay the same. A share that grows only takes keys over:
where `{"champion": 0.9, "canary": 0.1}` becomes `{"champion": 0.8, "canary": 0.2}`, a key that went to
the canary still does.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.server.config_fields import table

BUCKETS = 4096
"""Parts of the keys that the request log tells apart."""

_SHARE_SUM_SLACK = 1e-6


@dataclass(frozen=True)
class Target:
    """A version of a model, by its number or by its label.

    Example:
        >>> Target.named("canary"), Target.named("7")
        (Target(version=None, label='canary'), Target(version=7, label=None))
    """

    version: int | None = None
    label: str | None = None

    @classmethod
    def named(cls, name: str) -> Target:
        """Return the target of a name in a config: digits are a version, anything else a label."""
        return cls(version=int(name)) if name.isdecimal() else cls(label=name)

    def __str__(self) -> str:
        return str(self.version) if self.label is None else self.label


@dataclass(frozen=True)
class Key:
    """What decides where a request goes.

    Args:
        source: "header" (also gRPC metadata), "feature", or "request" for the request's id.
        name: The header's name in lower case, or the feature's name.

    Example:
        >>> Key.parse("header:X-User-Id"), Key.parse("feature:user_id")
        (Key(source='header', name='x-user-id'), Key(source='feature', name='user_id'))
    """

    source: str
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read `header:NAME`, `feature:NAME` or `request`.

        Raises:
            ValueError: If it is something else.
        """
        source, _, name = text.partition(":")
        if source == "header" and name:
            return cls(source, name.lower())
        if (source == "feature" and name) or (source == "request" and not name):
            return cls(source, name)
        raise ValueError(
            f"A traffic key is 'header:NAME', 'feature:NAME' or 'request'. Received: {text!r}"
        )


@dataclass(frozen=True)
class Shadow:
    """A version that gets a copy of requests; its answers are measured and logged, never given.

    Args:
        target: The version.
        share: Which share of the keys is copied, above 0 and at most 1.
    """

    target: Target
    share: float = 1.0


@dataclass(frozen=True)
class Traffic:
    """How the requests of a model that name no version and no label are divided.

    Args:
        split: Each target with its share, in the order of the config; the shares add up to 1. Empty to
            ask the model's default version.
        shadows: Versions that get copies.
        key: What decides; a request without it is divided by its own id.
        salt: Makes the division of two models, or of two experiments on one, independent.

    Example:
        >>> traffic = Traffic.from_config("taxi", {"split": {"champion": 0.9, "canary": 0.1}})
        >>> str(traffic.target(b"user-7"))
        'champion'
    """

    split: tuple[tuple[Target, float], ...] = ()
    shadows: tuple[Shadow, ...] = ()
    key: Key = Key("request")
    salt: str = ""

    @classmethod
    def from_config(cls, model: str, config: Mapping[str, Any]) -> Traffic:
        """Read a model's `traffic` from a config.

        Args:
            model: The model's name, for messages, and the salt unless the config has one.
            config: `split` (name: share), `shadow` (name: share), `key` and `salt`.

        Raises:
            ValueError: If a name is unknown or a share impossible; the message says where.
        """
        where = f"models.{model}.traffic"
        config = table(where, config, ("split", "shadow", "key", "salt"))
        split = _shares(f"{where}.split", config.get("split", {}))
        total = math.fsum(share for _, share in split)
        if split and abs(total - 1) > _SHARE_SUM_SLACK:
            raise ValueError(f"The shares of {where}.split add up to {total:g}. Expected: 1")
        shadows = _shares(f"{where}.shadow", config.get("shadow", {}))
        try:
            key = Key.parse(_text(f"{where}.key", config.get("key", "request")))
        except ValueError as error:
            raise ValueError(f"{where}.key: {error}") from None
        salt = _text(f"{where}.salt", config.get("salt", model))
        return cls(split, tuple(Shadow(*each) for each in shadows), key, salt)

    def target(self, key: bytes) -> Target | None:
        """Return where a key goes; None for the model's default version."""
        if not self.split:
            return None
        place = _place(self.salt, key)
        bound = 0.0
        for target, share in self.split:
            bound += share
            if place < bound:
                return target
        return self.split[-1][0]

    def bucket(self, key: bytes) -> int:
        """Return which of 4,096 parts of all keys a key belongs to: it is evened out, and names nobody.

        Example:
            >>> Traffic(salt="taxi").bucket(b"user-7") == Traffic(salt="taxi").bucket(b"user-7")
            True
        """
        return int(_place(self.salt, key) * BUCKETS)

    def shadows_of(self, key: bytes) -> list[Target]:
        """Return the versions that get a copy of a request with this key."""
        return [
            shadow.target
            for shadow in self.shadows
            if _place(f"{self.salt}\0shadow\0{shadow.target}", key) < shadow.share
        ]


def _place(salt: str, key: bytes) -> float:
    """Return a place in [0, 1) that only depends on salt and key."""
    digest = hashlib.blake2b(salt.encode() + b"\0" + key, digest_size=8).digest()
    # The upper 53 bits: all that a float holds, so that 1.0 is never reached.
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53


def is_sampled(rate: float, request_id: str) -> bool:
    """Return whether a request is among a share of all, decided by its id.

    Example:
        >>> is_sampled(1.0, "a"), is_sampled(0.0, "a")
        (True, False)
    """
    return _place("sample", request_id.encode()) < rate


def _shares(where: str, config: Any) -> tuple[tuple[Target, float], ...]:
    if not isinstance(config, Mapping):
        raise ValueError(
            f"{where} takes shares by version or label, such as {{'canary': 0.1}}. Received: {config!r}"
        )
    shares = []
    for name, share in config.items():
        if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1:
            raise ValueError(f"{where}.{name} takes a share from 0 to 1. Received: {share!r}")
        if not name:
            raise ValueError(f"{where} has a share without a version or label.")
        shares.append((Target.named(str(name)), float(share)))
    return tuple(shares)


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where} takes text. Received: {value!r}")
    return value
