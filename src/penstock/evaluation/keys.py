"""What names one metric value: metric, model, output, class or rank, weighting, and the slice."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from typing import Any

SliceKey = tuple[tuple[str, "str | int | float"], ...]
"""Pairs of feature and value, sorted by feature; `()` is the whole data set."""

CANDIDATE = "candidate"
BASELINE = "baseline"
OVERALL = "Overall"


@dataclass(frozen=True)
class SubKey:
    """A class, the k-th best class, or the k best classes of a multi-class output."""

    class_id: int | None = None
    k: int | None = None
    top_k: int | None = None

    def __str__(self) -> str:
        return ", ".join(f"{n} {v}" for n, v in vars(self).items() if v is not None)


@dataclass(frozen=True)
class MetricKey:
    """The identity of a metric value within a slice, as in TFMA's `MetricKey`."""

    name: str
    model_name: str = ""
    output_name: str = ""
    sub_key: SubKey | None = None
    aggregation: str | None = None
    example_weighted: bool = False
    is_diff: bool = False

    def diff(self, baseline: str = "") -> MetricKey:
        """Return the key of this metric's difference to the baseline.

        TFMA knows one baseline. The differences to further ones have names of their own, such as
        `auc_vs_production`, so that its files can hold them.

        Args:
            baseline: The name of a further baseline.
        """
        name = f"{self.name}_vs_{baseline}" if baseline else self.name
        return replace(self, name=name, is_diff=True)

    def of_model(self, model_name: str) -> MetricKey:
        """Return the key of the same metric of another model."""
        return replace(self, model_name=model_name, is_diff=False)

    def label(self) -> str:
        """Return a name for people: the metric, and what sets it apart."""
        parts = [p for p in (self.output_name, str(self.sub_key or ""), self.aggregation) if p]
        if self.example_weighted:
            parts.append("weighted")
        return self.name + (f" ({', '.join(parts)})" if parts else "")

    def to_proto(self, message: Any) -> None:
        """Fill a `MetricKey` or `PlotKey` message."""
        message.name = self.name
        message.model_name = self.model_name
        message.output_name = self.output_name
        if self.sub_key is not None:
            for name, value in vars(self.sub_key).items():
                if value is not None:
                    getattr(message.sub_key, name).value = value
        message.example_weighted.value = self.example_weighted
        if message.DESCRIPTOR.name == "MetricKey":
            if self.aggregation is not None:
                setattr(message.aggregation_type, self.aggregation, True)
            message.is_diff = self.is_diff

    @classmethod
    def from_proto(cls, message: Any) -> MetricKey:
        """Read a `MetricKey` or `PlotKey` message."""
        sub_key = None
        is_metric = message.DESCRIPTOR.name == "MetricKey"
        if message.HasField("sub_key"):
            names = ("class_id", "k", "top_k")
            sub_key = SubKey(
                **{
                    n: getattr(message.sub_key, n).value
                    for n in names
                    if message.sub_key.HasField(n)
                }
            )
        return cls(
            name=message.name,
            model_name=message.model_name,
            output_name=message.output_name,
            sub_key=sub_key,
            aggregation=message.aggregation_type.WhichOneof("type") if is_metric else None,
            example_weighted=message.example_weighted.value,
            is_diff=message.is_diff if is_metric else False,
        )


def slice_name(key: SliceKey) -> str:
    """Return a slice's name for people: `Overall`, `island=Dream` or `island=Dream, sex=male`."""
    return ", ".join(f"{column}={value_text(value)}" for column, value in key) or OVERALL


def cross_slice_name(baseline: SliceKey, comparison: SliceKey) -> str:
    """Return the name of two compared slices for people: `Overall vs. island=Dream`."""
    return f"{slice_name(baseline)} vs. {slice_name(comparison)}"


def message_slice_name(message: Any) -> str:
    """Return the name of the slice, or of the two compared slices, of a message with either key."""
    if message.HasField("cross_slice_key"):
        pair = message.cross_slice_key
        keys = (pair.baseline_slice_key, pair.comparison_slice_key)
        return cross_slice_name(*map(slice_key_from_proto, keys))
    return slice_name(slice_key_from_proto(message.slice_key))


def slice_columns(message: Any) -> str | None:
    """Return the features that the slice of a message is cut by, such as `island, sex`, or None."""
    key = message.slice_key
    if message.HasField("cross_slice_key"):
        key = message.cross_slice_key.comparison_slice_key
    return ", ".join(single.column for single in key.single_slice_keys) or None


def value_text(value: Any) -> str:
    """Return a float32 that became a float64 as it was written: 0.1, not 0.10000000149011612."""
    if not isinstance(value, float) or not math.isfinite(value) or value.is_integer():
        return str(value)
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        try:
            if struct.pack("f", float(text)) == struct.pack("f", value):
                return text
        except OverflowError:
            break
    return str(value)


def slice_key_to_proto(key: SliceKey, message: Any) -> None:
    """Fill a `SliceKey` message; an empty key marks it as present."""
    message.SetInParent()
    for column, value in key:
        single = message.single_slice_keys.add(column=column)
        if isinstance(value, str):
            single.bytes_value = value.encode()
        elif isinstance(value, int):
            single.int64_value = value
        else:
            single.float_value = value


def slice_key_from_proto(message: Any) -> SliceKey:
    """Read a `SliceKey` message."""
    key: list[tuple[str, str | int | float]] = []
    for single in message.single_slice_keys:
        value = getattr(single, single.WhichOneof("kind"))
        key.append((single.column, value.decode() if isinstance(value, bytes) else value))
    return tuple(key)
