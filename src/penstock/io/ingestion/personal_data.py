"""Masking the features that a schema marks as personal, before rows are written."""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from penstock.io.examples.messages import example_class
from penstock.io.examples.rows import Blocks, RowBlocks, Rows

if TYPE_CHECKING:
    from penstock.beam import InputReader
    from penstock.beam.shard_readers import Part
    from penstock.io.ingestion.broken_rows import OnBroken

Masking = Literal["drop", "redact", "hash"]
"""What is done with personal features."""

REDACTED = b"***"
_DIGITS = 32
_POSITIVE = (1 << 63) - 1


@dataclass(frozen=True)
class PersonalMask:
    """Masks personal features of rows.

    "drop" takes the features out. "redact" puts `***` in the place of each text; numbers become missing.
    "hash" puts a pseudonym in the place of each text or whole number, the same for the same value, which
    only the key's owner can compute: the first 32 hexadecimal digits of HMAC-SHA256, or 63 bits of it.

    Args:
        features: The personal features.
        how: "drop", "redact" or "hash".
        key: The key of the pseudonyms.

    Raises:
        ValueError: If "hash" has no key.

    Example:
        >>> mask = PersonalMask(frozenset({"email"}), "redact")
        >>> mask(rows).batch["email"].to_pylist()
        [[b'***'], [b'***']]
    """

    features: frozenset[str]
    how: Masking
    key: bytes = b""

    def __post_init__(self) -> None:
        if self.how == "hash" and not self.key:
            raise ValueError('personal_data="hash" needs a key. Received: none')

    def __call__(self, rows: Rows) -> Rows:
        """Mask rows, in both of their forms."""
        return Rows(self._batch(rows.batch), [self._record(each) for each in rows.records])

    def _batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        columns: dict[str, pa.Array] = {}
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name not in self.features:
                columns[name] = column
            elif self.how != "drop":
                columns[name] = self._column(name, column)
        return pa.record_batch(columns)

    def _column(self, name: str, column: pa.Array) -> pa.Array:
        kind = column.type
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        values = kind.value_type if is_list else kind
        if pa.types.is_null(values):
            return column
        mask = self._of_value(name, pa.types.is_floating(values))
        if is_list:
            masked = [
                row if row is None else [new for v in row if (new := mask(v)) is not None]
                for row in column.to_pylist()
            ]
        else:
            masked = [value if value is None else mask(value) for value in column.to_pylist()]
        if pa.types.is_string(values) or pa.types.is_large_string(values):
            kind = pa.list_(pa.binary()) if is_list else pa.binary()
        return pa.array(masked, kind)

    def _record(self, record: bytes) -> bytes:
        message = example_class().FromString(record)
        features = message.features.feature
        for name in self.features & set(features):
            if self.how == "drop":
                del features[name]
                continue
            kind = features[name].WhichOneof("kind")
            if kind is None:
                continue
            mask = self._of_value(name, kind == "float_list")
            values = getattr(features[name], kind).value
            values[:] = [new for value in values if (new := mask(value)) is not None]
        masked: bytes = message.SerializeToString(deterministic=True)
        return masked

    def _of_value(self, name: str, is_float: bool) -> Callable[[Any], Any]:
        if self.how == "redact":
            return _redacted
        if is_float:
            raise TypeError(
                f'personal_data="hash" makes pseudonyms of texts and whole numbers. Received: the feature '
                f'{name!r}, which has fractions. Take "drop" or "redact".'
            )
        return functools.partial(_pseudonym, self.key)


def _redacted(value: Any) -> Any:
    return REDACTED if isinstance(value, bytes | str) else None


@functools.lru_cache(maxsize=1 << 16)
def _pseudonym(key: bytes, value: bytes | str | int) -> bytes | int:
    if isinstance(value, int):
        digest = hmac.digest(key, str(value).encode(), hashlib.sha256)
        return int.from_bytes(digest[:8], "big") & _POSITIVE
    data = value.encode() if isinstance(value, str) else value
    return hmac.new(key, data, hashlib.sha256).hexdigest()[:_DIGITS].encode()


@dataclass(frozen=True)
class _MaskedRows:
    """Makes rows from a block and masks them; can be pickled where its parts can."""

    to_rows: Callable[[Any], Rows]
    mask: PersonalMask

    def __call__(self, block: Any) -> Rows:
        return self.mask(self.to_rows(block))


def masked_splits(
    splits: Mapping[str, Iterable[Rows]], mask: PersonalMask
) -> dict[str, Iterable[Rows]]:
    """Return the rows of all splits, masked as they are read."""
    return {name: _masked(rows, mask) for name, rows in splits.items()}


def _masked(rows: Iterable[Rows], mask: PersonalMask) -> Iterable[Rows]:
    if not isinstance(rows, RowBlocks):
        return map(mask, rows)

    def masked(opened: Callable[[], Blocks]) -> Callable[[], Blocks]:
        def read() -> Blocks:
            to_rows, blocks = opened()
            return Blocks(_MaskedRows(to_rows, mask), blocks)

        return read

    return RowBlocks(masked(rows.read), None if rows.guess is None else masked(rows.guess))


@dataclass(frozen=True)
class MaskedInput:
    """Reads as another reader does, on Beam's workers, and masks what it reads.

    Args:
        reader: The other reader.
        mask: The mask.
    """

    reader: InputReader
    mask: PersonalMask

    def survey(self, path: str, on_broken: OnBroken | None = None) -> Any:
        """Return what the other reader finds."""
        return self.reader.survey(path, on_broken)

    def plan(self, surveys: Sequence[Any], on_broken: OnBroken | None = None) -> Any:
        """Return the other reader's plan."""
        return self.reader.plan(surveys, on_broken)

    def parts(self, path: str, plan: Any, on_broken: OnBroken | None = None) -> Iterator[Part]:
        """Return the other reader's parts."""
        return self.reader.parts(path, plan, on_broken)

    def rows(self, part: Part, plan: Any, on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Return the other reader's rows, masked."""
        return map(self.mask, self.reader.rows(part, plan, on_broken))
