"""Which of two versions is better, or that it is not clear."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from penstock.ab_test.differences import Difference

Outcome = Literal["candidate", "baseline", "undecided"]


@dataclass(frozen=True)
class Judged:
    """A metric with the difference that was found in it.

    Args:
        name: The metric.
        difference: Candidate minus baseline.
        lower_is_better: Whether less of the metric is better.
        margin: How much better the candidate must be (negative: how much worse it may be); None if the
            metric is only shown.
    """

    name: str
    difference: Difference
    lower_is_better: bool = False
    margin: float | None = None

    @property
    def improvement(self) -> float:
        """How much better the candidate is; negative where it is worse."""
        return self._signed(self.difference.value)

    @property
    def interval(self) -> tuple[float, float]:
        """The confidence interval of the improvement."""
        ends = self._signed(self.difference.lower), self._signed(self.difference.upper)
        return min(ends), max(ends)

    @property
    def outcome(self) -> Outcome:
        """Which version it speaks for: the candidate if the whole interval is above the margin."""
        lower, upper = self.interval
        margin = self.margin or 0.0
        if lower > margin:
            return "candidate"
        return "baseline" if upper < margin else "undecided"

    @property
    def units_needed(self) -> int | None:
        """About how many units would decide it, if the improvement stays what it is; None if none would."""
        lower, upper = self.interval
        gap = abs(self.improvement - (self.margin or 0.0))
        if gap == 0 or self.difference.standard_error == 0:
            return None
        return math.ceil(self.difference.units * ((upper - lower) / 2 / gap) ** 2)

    def sentence(self) -> str:
        """Return what was found in words.

        Example:
            >>> found = Difference(0.91, 0.88, 0.01, 0.05, 0.01, 400, "t")
            >>> Judged("accuracy", found, margin=0.0).sentence()
            'accuracy 0.91 and 0.88: 0.03 better (0.01 to 0.05)'
        """
        lower, upper = self.interval
        gain = self.improvement
        how = f"{_short(abs(gain))} {'better' if gain >= 0 else 'worse'}" if gain else "equal"
        values = f"{_short(self.difference.candidate)} and {_short(self.difference.baseline)}"
        text = f"{self.name} {values}: {how} ({_short(lower)} to {_short(upper)})"
        return text if not self.margin else f"{text}, margin {_short(self.margin)}"

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        lower, upper = self.interval
        return {
            "name": self.name,
            "candidate": self.difference.candidate,
            "baseline": self.difference.baseline,
            "improvement": self.improvement,
            "lower": lower,
            "upper": upper,
            "standard_error": self.difference.standard_error,
            "units": self.difference.units,
            "method": self.difference.method,
            "lower_is_better": self.lower_is_better,
            "margin": self.margin,
            "outcome": self.outcome if self.margin is not None else None,
            "units_needed": self.units_needed if self.margin is not None else None,
        }

    def _signed(self, value: float) -> float:
        return -value if self.lower_is_better else value


@dataclass(frozen=True)
class Decision:
    """What follows from the metrics.

    Args:
        outcome: "candidate", "baseline" or "undecided".
        reasons: Why it is not the candidate.
    """

    outcome: Outcome
    reasons: tuple[str, ...] = ()


def decide(metrics: Sequence[Judged], objections: Sequence[str] = ()) -> Decision:
    """Return the version to keep.

    The candidate wins if every metric with a margin speaks for it, and the baseline if one speaks for that.
    With an objection, such as a traffic split that was not kept, nothing is decided.

    Example:
        >>> decide([judged]).outcome
        'candidate'
    """
    if objections:
        return Decision("undecided", tuple(objections))
    judged = [each for each in metrics if each.margin is not None]
    lost = [each.sentence() for each in judged if each.outcome == "baseline"]
    if lost:
        return Decision("baseline", tuple(lost))
    open_ = [each for each in judged if each.outcome == "undecided"]
    if not open_:
        return Decision("candidate")
    reasons = []
    for each in open_:
        needed = each.units_needed
        more = (
            ""
            if needed is None
            else f"; about {needed:,} would decide, {each.difference.units:,} are there"
        )
        reasons.append(each.sentence() + more)
    return Decision("undecided", tuple(reasons))


def _short(value: float) -> str:
    return f"{value:.3g}"
