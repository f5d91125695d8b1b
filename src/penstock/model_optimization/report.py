"""What was measured of the original and of the optimized model, and the verdict by bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measured:
    """A model's numbers.

    Args:
        file_bytes: The file's size.
        gzip_bytes: Its size compressed.
        one_row_ms: Median and 99th percentile of a request of one row, in milliseconds.
        batch_ms: The same of a batch.
        metric: The metric's value on held-out rows.
    """

    file_bytes: int
    gzip_bytes: int
    one_row_ms: tuple[float, float]
    batch_ms: tuple[float, float]
    metric: float

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value."""
        return {
            "file_bytes": self.file_bytes,
            "gzip_bytes": self.gzip_bytes,
            "one_row_ms": {"median": self.one_row_ms[0], "p99": self.one_row_ms[1]},
            "batch_ms": {"median": self.batch_ms[0], "p99": self.batch_ms[1]},
            "metric": self.metric if math.isfinite(self.metric) else None,
        }


@dataclass(frozen=True)
class Judged:
    """A number that the optimized model has beside the original, and its bound.

    Args:
        name: What it is.
        value: The number; less is better.
        bound: The most that is allowed; None if it is only shown.
    """

    name: str
    value: float
    bound: float | None

    @property
    def ok(self) -> bool:
        """Whether the bound is kept; a value that is no number does not keep it."""
        return self.bound is None or self.value <= self.bound

    def sentence(self) -> str:
        """Return what was found in words.

        Example:
            >>> Judged("size ratio", 0.31, 0.5).sentence()
            'size ratio 0.31, at most 0.5 is allowed'
        """
        found = f"{self.name} {self.value:.4g}"
        return found if self.bound is None else f"{found}, at most {self.bound:.4g} is allowed"

    def to_json(self) -> dict[str, Any]:
        """Return a JSON value."""
        value = self.value if math.isfinite(self.value) else None
        return {"name": self.name, "value": value, "bound": self.bound, "ok": self.ok}


def judge(
    original: Measured,
    optimized: Measured,
    *,
    compressed: bool,
    lower_is_better: bool,
    bounds: Mapping[str, float | None],
) -> list[Judged]:
    """Return the ratio of sizes and of latencies, and the loss of the metric.

    Args:
        original: The original model.
        optimized: The optimized one.
        compressed: Whether the compressed size counts, as for pruned models: zeros take as much space in a
            file as other numbers.
        lower_is_better: Whether less of the metric is better.
        bounds: The most that is allowed, by "size ratio", "latency ratio" and "metric loss". The
            latency is the median of one row.
    """
    size = "gzip_bytes" if compressed else "file_bytes"
    loss = original.metric - optimized.metric
    found = {
        "size ratio": getattr(optimized, size) / getattr(original, size),
        "latency ratio": optimized.one_row_ms[0] / original.one_row_ms[0],
        "metric loss": -loss if lower_is_better else loss,
    }
    return [Judged(name, value, bounds.get(name)) for name, value in found.items()]


def verdict(judged: Sequence[Judged]) -> str:
    """Return the verdict in one line: what has a bound, what fails first."""
    bound = sorted((each for each in judged if each.bound is not None), key=lambda each: each.ok)
    return "; ".join(each.sentence() for each in bound)
