"""Whether the traffic was divided as it should have been."""

from __future__ import annotations

import math
from statistics import NormalDist

_SURE = 0.001
"""How unlikely a division must be by chance alone to be called wrong."""


def share_is_off(candidate: int, baseline: int, share: float) -> str:
    """Return what is wrong with a division of the traffic; "" if chance explains it.

    If a version gets other units than it should, what is missing there is seldom missing at random: slow
    or failed requests, one kind of user. So such a comparison says nothing.

    Args:
        candidate: Units that the candidate answered.
        baseline: Units that the baseline answered.
        share: The candidate's share by the server's config, above 0 and below 1.

    Example:
        >>> share_is_off(520, 480, 0.5), bool(share_is_off(600, 400, 0.5))
        ('', True)
    """
    total = candidate + baseline
    z = (candidate - share * total) / math.sqrt(total * share * (1 - share))
    if 2 * (1 - NormalDist().cdf(abs(z))) >= _SURE:
        return ""
    return (
        f"the candidate answered {candidate:,} of {total:,} units, {candidate / total:.1%} instead of "
        f"{share:.1%}: the traffic was not divided as planned, so the two cannot be compared"
    )
