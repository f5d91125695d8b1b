"""Permutation importance: how much worse a model gets when a feature says nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Columns = Mapping[str, "npt.NDArray[Any]"]


@dataclass(frozen=True)
class Importance:
    """How much worse the metric gets.

    Attributes:
        mean: Over the repetitions; below 0 where it gets better by chance.
        deviation: The standard deviation over the repetitions.
    """

    mean: float
    deviation: float


def permutation_importance(
    score: Callable[[dict[str, npt.NDArray[Any]]], float],
    columns: Columns,
    *,
    features: Sequence[str] = (),
    repeats: int = 5,
    seed: int = 0,
) -> tuple[float, dict[str, Importance]]:
    """Shuffle each feature's values among the rows, and measure what that costs.

    Features that say the same are both unimportant by this measure, since one stands in for the other.

    Args:
        score: Asks the model about these columns and returns how good its answers are: more is better.
        columns: By feature, with the rows first.
        features: The features to shuffle; all by default.
        repeats: How often each is shuffled.
        seed: Seed of the order.

    Returns:
        The score with nothing shuffled, and each feature's importance, the greatest first.

    Source: Breiman (2001), Random Forests; Fisher, Rudin, Dominici (2019), https://arxiv.org/abs/1801.01489.

    Example:
        >>> whole, found = permutation_importance(accuracy, columns)
        >>> next(iter(found.items()))
        ('bill_length_mm', Importance(mean=0.31, deviation=0.02))
    """
    draw = np.random.default_rng(seed)
    whole = score(dict(columns))
    found = {}
    for name in features or columns:
        losses = []
        for _ in range(repeats):
            shuffled = columns[name][draw.permutation(len(columns[name]))]
            losses.append(whole - score({**columns, name: shuffled}))
        found[name] = Importance(float(np.mean(losses)), float(np.std(losses)))
    return whole, dict(sorted(found.items(), key=lambda each: -each[1].mean))
