"""Both scores of each metric, and whether the model is as much better as it must be."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.baseline_comparison.metric_directions import is_known, lower_is_better


@dataclass(frozen=True)
class ComparedMetric:
    """A metric of the model and of the baseline.

    Args:
        name: The metric.
        model: The model's value.
        baseline: The baseline's value.
        lower_is_better: Whether less of it is better.
        margin: How much better the model must be (negative: how much worse it may be); None if the metric
            is only shown.
    """

    name: str
    model: float
    baseline: float
    lower_is_better: bool
    margin: float | None = None

    @property
    def improvement(self) -> float:
        """How much better the model is; negative where it is worse."""
        change = self.model - self.baseline
        return -change if self.lower_is_better else change

    @property
    def ok(self) -> bool:
        """Whether the margin is kept; a value that is no number does not keep it."""
        return self.margin is None or self.improvement >= self.margin

    def sentence(self) -> str:
        """Return what was found in words.

        Example:
            >>> ComparedMetric("accuracy", 0.97, 0.93, False, 0.02).sentence()
            'accuracy 0.97, baseline 0.93: 0.04 better, at least 0.02 better is needed'
        """
        gain = self.improvement
        found = f"{self.name} {_short(self.model)}, baseline {_short(self.baseline)}"
        if not math.isfinite(gain):
            return f"{found}: they cannot be compared"
        how = f"{_short(abs(gain))} {'better' if gain >= 0 else 'worse'}" if gain else "equal"
        if self.margin is None:
            return f"{found}: {how}"
        if self.margin >= 0:
            bound = f"at least {_short(self.margin)} better is needed"
        else:
            bound = f"at most {_short(-self.margin)} worse is allowed"
        return f"{found}: {how}, {bound}"

    def to_json(self) -> dict[str, Any]:
        """Return the metric as a JSON value; numbers that are not finite are None."""
        return {
            "name": self.name,
            "model": _finite(self.model),
            "baseline": _finite(self.baseline),
            "improvement": _finite(self.improvement),
            "lower_is_better": self.lower_is_better,
            "margin": self.margin,
            "ok": self.ok,
        }


def compared(
    model: Mapping[str, float],
    baseline: Mapping[str, float],
    margins: Mapping[str, float],
    lower: Collection[str] = (),
) -> list[ComparedMetric]:
    """Put the metrics of a model and of a baseline side by side.

    Args:
        model: The model's metrics by name.
        baseline: The baseline's.
        margins: How much better the model must be, by metric.
        lower: Metrics of your own of which less is better.

    Raises:
        ValueError: If a margin's metric was not measured of both.

    Example:
        >>> compared({"mae": 1.0}, {"mae": 1.5}, {"mae": 0.1})[0].ok
        True
    """
    names = [name for name in model if name in baseline]
    for name in margins:
        if name not in names:
            raise ValueError(
                f"The margin is about {name!r}, which was not measured. Measured: "
                f"{', '.join(names) or 'nothing'}"
            )
    return [
        ComparedMetric(
            name,
            float(model[name]),
            float(baseline[name]),
            name in lower or (is_known(name) and lower_is_better(name)),
            margins.get(name),
        )
        for name in names
    ]


def summary(metrics: Sequence[ComparedMetric]) -> str:
    """Return the verdict in one line: the judged metrics, those that fail first."""
    judged = sorted((each for each in metrics if each.margin is not None), key=lambda each: each.ok)
    return "; ".join(each.sentence() for each in judged)


def _short(value: float) -> str:
    return f"{value:.4g}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
