"""How much better one version is than another, with a confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from penstock.baseline_comparison.metrics import measure, row_scores

if TYPE_CHECKING:
    import numpy.typing as npt

    _Array = npt.NDArray[Any]

_RESAMPLES = 1000
_FEWEST_RESAMPLES = 200
_RESAMPLED_ROWS = 20_000_000


@dataclass(frozen=True)
class Arm:
    """What one version said of its rows.

    Args:
        labels: What was right, as `penstock.baseline_comparison.measure` takes it.
        predictions: What it said.
        units: Which rows belong together because one user, one request made them: numbers from 0 of the
            shape (rows,). None if each row is alone.
    """

    labels: _Array
    predictions: _Array
    units: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_units(self) -> int:
        """How many independent units there are."""
        return len(self) if self.units is None else len(np.unique(self.units))


@dataclass(frozen=True)
class Difference:
    """A metric of two versions and their difference.

    Args:
        candidate: The metric of the candidate.
        baseline: The metric of the baseline.
        lower: The lower end of the interval of `candidate - baseline`.
        upper: Its upper end.
        standard_error: Of the difference.
        units: How many independent units it rests on.
        method: How the interval was made: "t", "bootstrap" or "sequence".
    """

    candidate: float
    baseline: float
    lower: float
    upper: float
    standard_error: float
    units: int
    method: str

    @property
    def value(self) -> float:
        """The difference, candidate minus baseline."""
        return self.candidate - self.baseline


def difference(
    name: str,
    candidate: Arm,
    baseline: Arm,
    *,
    paired: bool,
    confidence: float = 0.95,
    planned_units: int | None = None,
    seed: int = 0,
) -> Difference:
    """Return the difference of two versions in a metric, with its confidence interval.

    A metric that is a mean over rows has a t interval, of the differences row by row where both versions
    saw the same rows, and else Welch's. Any other has the percentiles of a bootstrap with 1,000 resamples
    (fewer above 20,000 rows). Units are sampled, never single rows of one.

    Args:
        name: A metric of `penstock.baseline_comparison`, such as "accuracy".
        candidate: One version.
        baseline: The other.
        paired: Whether row i is the same row in both.
        confidence: How often the interval holds the true difference, such as 0.95.
        planned_units: For looking again and again while data come in: the units at which the interval
            should be tightest. It then holds at all looks together (an asymptotic confidence sequence:
            Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic
            confidence sequences", 2021, theorem 2.2).
        seed: Of the bootstrap.

    Raises:
        ValueError: If there are fewer than two units, or the metric cannot be computed.

    Example:
        >>> right, half = np.ones(4), np.array([1.0, 0.5, 1.0, 0.5])
        >>> difference("mae", Arm(right, right), Arm(right, half), paired=True).value
        -0.25
    """
    if min(candidate.num_units, baseline.num_units) < 2:
        raise ValueError(
            "A difference needs rows of two units or more of each version. Received "
            f"{candidate.num_units} and {baseline.num_units}"
        )
    units = candidate.num_units + (0 if paired else baseline.num_units)
    found = [measure(name, each.labels, each.predictions) for each in (candidate, baseline)]
    if not all(map(math.isfinite, found)):
        raise ValueError(f"{name} cannot be computed: candidate {found[0]}, baseline {found[1]}")
    scores = [_scores(name, each) for each in (candidate, baseline)]
    tail = (1 + confidence) / 2
    if scores[0] is not None and scores[1] is not None:
        error, degrees = _of_means(candidate, scores[0], baseline, scores[1], paired)
        half = float(stats.t.ppf(tail, degrees)) * error
        lower, upper = found[0] - found[1] - half, found[0] - found[1] + half
        method = "t"
    else:
        samples = _bootstrap(name, candidate, baseline, paired, seed)
        error = float(np.std(samples, ddof=1))
        lower, upper = (float(each) for each in np.quantile(samples, [1 - tail, tail]))
        method = "bootstrap"
    if planned_units is not None:
        half = _sequence(error, units, 1 - confidence, planned_units)
        lower, upper = found[0] - found[1] - half, found[0] - found[1] + half
        method = "sequence"
    return Difference(found[0], found[1], lower, upper, error, units, method)


def _scores(name: str, arm: Arm) -> _Array | None:
    """Return a score for each row of a metric that is their mean; None for any other."""
    found = row_scores(name, arm.labels, arm.predictions)
    if found is None or len(found) == len(arm):
        return found
    rows: _Array = found.reshape(len(arm), -1).mean(axis=1)
    return rows


def _of_means(
    candidate: Arm, ours: _Array, baseline: Arm, theirs: _Array, paired: bool
) -> tuple[float, float]:
    """Return the standard error of a difference of means, and its degrees of freedom."""
    if paired:
        known = ~(np.isnan(ours) | np.isnan(theirs))
        variance, count = _variance_of_mean(ours - theirs, candidate.units, known)
        return math.sqrt(variance), count - 1
    ours_variance, ours_count = _variance_of_mean(ours, candidate.units, ~np.isnan(ours))
    their_variance, their_count = _variance_of_mean(theirs, baseline.units, ~np.isnan(theirs))
    total = ours_variance + their_variance
    if total == 0:
        return 0.0, ours_count + their_count - 2
    # Welch and Satterthwaite.
    degrees = total**2 / (
        ours_variance**2 / (ours_count - 1) + their_variance**2 / (their_count - 1)
    )
    return math.sqrt(total), degrees


def _variance_of_mean(
    values: _Array, units: npt.NDArray[np.int64] | None, known: _Array
) -> tuple[float, int]:
    """Return the variance of the mean over rows whose units are independent, and how many units there are.

    With units of several rows the mean is a ratio of two sums; its variance is that of its linear part.
    """
    values = values[known]
    places = (
        np.arange(len(values)) if units is None else np.unique(units[known], return_inverse=True)[1]
    )
    sums, counts = np.bincount(places, values), np.bincount(places)
    size = len(sums)
    if size < 2:
        raise ValueError(f"A difference needs two units or more with a score. Received {size}")
    residuals = sums - values.mean() * counts
    return float(size / (size - 1) * np.sum(residuals**2) / len(values) ** 2), size


def _bootstrap(name: str, candidate: Arm, baseline: Arm, paired: bool, seed: int) -> _Array:
    """Return the difference in resamples of the units."""
    random = np.random.default_rng(seed)
    rows = max(len(candidate), len(baseline))
    resamples = max(_FEWEST_RESAMPLES, min(_RESAMPLES, _RESAMPLED_ROWS // rows))
    ours, theirs = _Units(candidate), _Units(baseline)
    found = []
    for _ in range(resamples):
        first = ours.resampled(random)
        second = first if paired else theirs.resampled(random)
        sides = ((candidate, first), (baseline, second))
        one, other = (measure(name, arm.labels[i], arm.predictions[i]) for arm, i in sides)
        if math.isfinite(one - other):
            found.append(one - other)
    if len(found) < resamples / 2:
        raise ValueError(f"There are too few rows to say how sure {name} is.")
    return np.array(found)


class _Units:
    """The rows of each unit of an arm, to draw units of."""

    def __init__(self, arm: Arm) -> None:
        self._rows = len(arm)
        self._order: _Array | None = None
        if arm.units is not None:
            places = np.unique(arm.units, return_inverse=True)[1]
            self._order = np.argsort(places, kind="stable")
            self._counts = np.bincount(places)
            self._starts = np.cumsum(self._counts) - self._counts

    def resampled(self, random: np.random.Generator) -> _Array:
        """Return the rows of as many units as there are, drawn with replacement."""
        if self._order is None:
            return random.integers(self._rows, size=self._rows)
        drawn = random.integers(len(self._counts), size=len(self._counts))
        counts = self._counts[drawn]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows: _Array = self._order[np.repeat(self._starts[drawn], counts) + within]
        return rows


def _sequence(error: float, units: int, alpha: float, planned_units: int) -> float:
    """Return half the width of a confidence sequence, which is tightest at `planned_units`."""
    spread = error * math.sqrt(units)
    rho2 = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / planned_units
    inside = units * rho2 + 1
    return spread * math.sqrt(2 * inside / (units**2 * rho2) * math.log(math.sqrt(inside) / alpha))
