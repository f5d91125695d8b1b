"""Comparing what was seen with the references, and what is told of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from penstock.data_validation.drift.limits import DriftLimit
from penstock.data_validation.drift.measures import (
    jensen_shannon_divergence,
    population_stability_index,
    stability_index_by_chance,
)
from penstock.data_validation.drift.observed import ObservedFeature, ObservedRows

_NEW_VALUES_SHOWN = 10


@dataclasses.dataclass(frozen=True)
class FeatureDrift:
    """How far a feature has moved.

    Attributes:
        name: The feature.
        stability_index: The population stability index; None where values cannot be compared.
        by_chance: The index that chance alone exceeds once in a thousand times with so many rows.
        divergence: The Jensen-Shannon divergence in bits, or None.
        missing: Share of rows without a value, in training and now.
        parts: Ranges of numbers or values of strings.
        shares: Share of each part, in training and now.
        new_values: Strings that were not among training's most frequent ones, with their numbers.
        reasons: Which limits it exceeds, in words; empty if none.
    """

    name: str
    stability_index: float | None
    by_chance: float | None
    divergence: float | None
    missing: tuple[float, float]
    parts: tuple[str, ...]
    shares: tuple[tuple[float, ...], tuple[float, ...]]
    new_values: Mapping[str, int]
    reasons: tuple[str, ...]

    def without_values(self) -> Self:
        """Return the same without any value of the feature, which is personal."""
        numbered = tuple(f"part {place + 1}" for place in range(len(self.parts)))
        return dataclasses.replace(self, parts=numbered, new_values={})


@dataclasses.dataclass(frozen=True)
class MetricChange:
    """A metric at training and with the labels that came later.

    Attributes:
        name: The metric.
        before: Its value at training.
        now: Its value on the labeled rows.
        limit: The change that is allowed: a negative number is how far it may fall, a positive one how far
            it may rise.
        reasons: A sentence if the limit is exceeded.
    """

    name: str
    before: float
    now: float
    limit: float
    reasons: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class DriftReport:
    """What was found.

    Attributes:
        rows: Rows that were looked at.
        features: Of each feature, the one that moved most first.
        predictions: The same of what the model answered.
        metrics: Metrics on labels that came later.
        unjudged: Why nothing is judged, such as too few rows; empty if everything is.
    """

    rows: int
    features: tuple[FeatureDrift, ...] = ()
    predictions: tuple[FeatureDrift, ...] = ()
    metrics: tuple[MetricChange, ...] = ()
    unjudged: str = ""

    @property
    def reasons(self) -> list[str]:
        """All limits that are exceeded, in words."""
        everything: list[FeatureDrift | MetricChange] = [
            *self.metrics,
            *self.predictions,
            *self.features,
        ]
        return [reason for each in everything for reason in each.reasons]

    @property
    def verdict(self) -> str:
        """Return "drift", "no drift", or "too few rows"."""
        if self.reasons:
            return "drift"
        return "too few rows" if self.unjudged else "no drift"

    def to_json(self) -> str:
        """Return the report as JSON, for `from_json`."""
        return json.dumps({"verdict": self.verdict, **dataclasses.asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the report that `to_json` was called on."""
        value: dict[str, Any] = json.loads(text)
        value.pop("verdict")
        for key in ("features", "predictions"):
            value[key] = tuple(_feature_from(each) for each in value[key])
        value["metrics"] = tuple(
            MetricChange(**{**each, "reasons": tuple(each["reasons"])}) for each in value["metrics"]
        )
        return cls(**value)


def _feature_from(value: Mapping[str, Any]) -> FeatureDrift:
    told = dict(value)
    first, second = told["shares"]
    told["shares"] = tuple(first), tuple(second)
    for key in ("missing", "parts", "reasons"):
        told[key] = tuple(told[key])
    return FeatureDrift(**told)


def drift_of_features(
    seen: ObservedRows, limits: Mapping[str, DriftLimit], default: DriftLimit, what: str = ""
) -> tuple[FeatureDrift, ...]:
    """Compare all features with their references, the one that moved most first.

    Args:
        seen: What was counted.
        limits: Limits of single features.
        default: The limits of all others.
        what: What a feature is called in sentences, before its name.
    """
    found = [
        _drift(each, limits.get(name, default), f"{what}{name}")
        for name, each in seen.features.items()
    ]
    return tuple(sorted(found, key=lambda each: (not each.reasons, -(each.stability_index or 0.0))))


def _drift(seen: ObservedFeature, limit: DriftLimit, called: str) -> FeatureDrift:
    reference = seen.reference
    before = np.asarray(reference.counts, np.float64)
    index = chance = divergence = None
    if len(before) and before.sum() and seen.counts.sum():
        index = population_stability_index(before, seen.counts)
        chance = stability_index_by_chance(before, seen.counts)
        divergence = jensen_shannon_divergence(before, seen.counts)
    missing = reference.missing, seen.missing / seen.rows if seen.rows else 0.0
    reasons = limit.exceeded(called, index, chance, divergence, missing, seen.rows)
    return FeatureDrift(
        reference.name,
        index,
        chance,
        divergence,
        missing,
        reference.parts,
        (_shares(before), _shares(seen.counts)),
        dict(seen.new.most_common(_NEW_VALUES_SHOWN)),
        tuple(reasons),
    )


def _shares(counts: Any) -> tuple[float, ...]:
    total = float(counts.sum()) if len(counts) else 0.0
    return tuple(float(each) / total if total else 0.0 for each in counts)


def metric_changes(
    before: Mapping[str, float], now: Mapping[str, float], limits: Mapping[str, float]
) -> tuple[MetricChange, ...]:
    """Compare metrics with those at training.

    Args:
        before: Metrics at training.
        now: Metrics on the labels that came later.
        limits: The change that is allowed, by metric: -0.05 is a fall by 0.05, 0.1 a rise by 0.1.

    Raises:
        ValueError: If an evaluation lacks a metric.
    """
    found = []
    for name, limit in limits.items():
        for which, metrics in (("the training's evaluation", before), ("the labeled one", now)):
            if name not in metrics:
                raise ValueError(
                    f"max_metric_change names {name!r}, which {which} lacks. It has: "
                    f"{', '.join(sorted(metrics)) or 'none'}"
                )
        change = now[name] - before[name]
        bad = change < limit if limit < 0 else change > limit
        verb = "fell" if change < 0 else "rose"
        sentence = f"{name} {verb} from {before[name]:.4g} to {now[name]:.4g}"
        reasons: Sequence[str] = [f"{sentence}, more than {abs(limit):g}"] if bad else []
        found.append(MetricChange(name, before[name], now[name], limit, tuple(reasons)))
    return tuple(found)
