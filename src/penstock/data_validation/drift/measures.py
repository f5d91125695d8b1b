"""Distances between counts of the same parts, and how large they are by chance."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]


def population_stability_index(reference: _Floats, observed: _Floats) -> float:
    """Return the population stability index of two vectors of counts, each shape (parts,).

    The sum of (q - p) ln(q / p) over the shares p and q of each part. Half a count is added to each part,
    so that an empty one does not make it infinite.

    Source: Siddiqi (2006), Credit Risk Scorecards. By custom up to 0.1 is no change, above 0.2 is one.

    Example:
        >>> round(population_stability_index(np.array([50.0, 50.0]), np.array([80.0, 20.0])), 2)
        0.4
    """
    p, q = (_smoothed(each) for each in (reference, observed))
    return float(np.sum((q - p) * np.log(q / p)))


def jensen_shannon_divergence(reference: _Floats, observed: _Floats) -> float:
    """Return the Jensen-Shannon divergence in bits, 0 to 1, of two vectors of counts, shape (parts,)."""
    p, q = reference / reference.sum(), observed / observed.sum()
    middle = (p + q) / 2

    def entropy(part: _Floats) -> float:
        seen = part > 0
        return float(np.sum(part[seen] * np.log2(part[seen] / middle[seen])))

    return (entropy(p) + entropy(q)) / 2


def stability_index_by_chance(reference: _Floats, observed: _Floats) -> float:
    """Return the stability index that samples of one distribution exceed once in a thousand times.

    The index over (1/n + 1/m) is distributed about as chi-squared with a degree of freedom less than there
    are parts, which this takes by Wilson and Hilferty's approximation: nodes that only read data have no
    SciPy.

    Source: Yurdakul (2018), Statistical Properties of Population Stability Index.
    """
    degrees = int(np.count_nonzero(reference + observed)) - 1
    if degrees < 1:
        return 0.0
    spread = 2 / (9 * degrees)
    chi_squared = degrees * (1 - spread + 3.0902 * math.sqrt(spread)) ** 3
    return chi_squared * float(1 / reference.sum() + 1 / observed.sum())


def _smoothed(counts: _Floats) -> _Floats:
    more = counts + 0.5
    smoothed: _Floats = more / more.sum()
    return smoothed
