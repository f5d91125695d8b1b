"""Round numbers for the axes of charts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def ticks(low: float, high: float, *, most: int = 6, whole: bool = False) -> list[float]:
    """Return round numbers from `low` to `high`, at equal steps.

    Args:
        low: The axis's lower end.
        high: The axis's upper end.
        most: How many there are at most.
        whole: Whether only whole numbers may be marked.

    Example:
        >>> ticks(0.02, 0.97)
        [0.2, 0.4, 0.6, 0.8]
        >>> ticks(1, 3, whole=True)
        [1.0, 2.0, 3.0]
    """
    step = _step((high - low) / (most - 1), whole)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def rounded_range(values: Sequence[float], *, most: int = 6) -> tuple[float, float]:
    """Return round ends that hold all values; 0 is one of them where the values come near it."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    if 0 < low < 0.3 * high:
        low = 0.0
    while True:
        step = _step((high - low) / (most - 1), whole=False)
        ends = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
        # Wider ends may ask for a wider step.
        if ends == (low, high) or _step((ends[1] - ends[0]) / (most - 1), whole=False) == step:
            return ends
        low, high = ends


def _step(least: float, whole: bool) -> float:
    if whole and least <= 1:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(least))
    step = next(scale * each for each in _STEPS if scale * each >= least * (1 - 1e-9))
    return math.ceil(step) if whole else step


def tick_labels(values: Sequence[float]) -> list[str]:
    """Return the numbers of an axis, with as many digits as tell them apart.

    Example:
        >>> tick_labels([0.98, 0.985, 0.99])
        ['0.980', '0.985', '0.990']
    """
    if not values:
        return []
    largest = max(abs(value) for value in values)
    step = min((b - a for a, b in itertools.pairwise(values)), default=largest or 1.0)
    scientific = largest >= 1e6 or 0 < largest < 1e-3
    for digits in range(12):
        form = f".{digits}e" if scientific else f",.{digits}f"
        labels = [format(value + 0.0, form) if value else format(0.0, form) for value in values]
        numbers = [float(label.replace(",", "")) for label in labels]
        if all(abs(a - b) < step * 1e-6 for a, b in zip(numbers, values, strict=True)):
            break
    return [
        "0" if scientific and not value else label
        for value, label in zip(values, labels, strict=True)
    ]
