"""Quantiles of the normal and of Student's t distribution."""

from __future__ import annotations

import math
from statistics import NormalDist


def student_t(probability: float, degrees: float) -> float:
    """Return a quantile of Student's t distribution, to four digits from 4 degrees of freedom on.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5; exact formulas for 1 and 2.

    Args:
        probability: Above 0 and below 1.
        degrees: Degrees of freedom, 1 or more.

    Example:
        >>> round(student_t(0.975, 19), 3), round(student_t(0.975, 1), 2)
        (2.093, 12.71)
    """
    if degrees < 2:
        return math.tan(math.pi * (probability - 0.5))
    if degrees < 3:
        return (2 * probability - 1) * math.sqrt(2 / (4 * probability * (1 - probability)))
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / degrees ** (i + 1) for i, term in enumerate(terms))
