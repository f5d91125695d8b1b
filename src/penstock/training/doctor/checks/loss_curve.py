"""Whether the loss stays finite and does not explode."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from penstock.training.doctor.finding import Finding

STEPS_A_WINDOW = 10
_TIMES = 10.0
"""A loss that is ten times what it was for fresh weights: guessing at random is better."""
_DOUBLINGS = 3
_LATE = 5
_LEAST = 1e-6


class LossCurve:
    """The mean loss of each ten steps.

    Example:
        >>> curve = LossCurve()
        >>> for loss in (1.0, 4.0, 30.0, 250.0):
        ...     curve.add(10 * loss, 10)
        >>> curve.has_exploded()
        True
    """

    def __init__(self) -> None:
        self._windows: list[float] = []
        self._sum = 0.0
        self._count = 0
        self._first: float | None = None
        self._last = 0.0

    def get_state(self) -> dict[str, Any]:
        """Return what a training that goes on from a checkpoint has to compare its losses with."""
        return {"first": self._first, "windows": [self._windows[0]] if self._windows else []}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Compare with the first losses of the training, not with those of where it goes on."""
        self._first, self._windows = state["first"], list(state["windows"])

    def add(self, total: float, count: int) -> None:
        """Add the sum of the losses of some steps."""
        if self._first is None:
            self._first = total / count
        self._last = total / count
        self._sum += total
        self._count += count
        if self._count >= STEPS_A_WINDOW:
            self._windows.append(self._sum / self._count)
            self._sum, self._count = 0.0, 0

    @property
    def has_risen(self) -> bool:
        """Whether the last loss is a hundred times the first: what a loss does before it is NaN."""
        return self._first is not None and self._last > 100 * max(abs(self._first), _LEAST)

    def explosion(self, step: int, learning_rate: float | None) -> Finding:
        """Return the finding that says how the loss grew."""
        first = self._windows[0] if self._windows else self._first or 0.0
        last = self._windows[-1] if len(self._windows) > 1 else self._last
        rate = "" if learning_rate is None else f" {learning_rate:g}"
        smaller = "" if learning_rate is None else f", such as {learning_rate / 10:g}"
        return Finding(
            "loss-explodes",
            "learning_rate",
            f"The loss went from {first:.3g} in the first steps to {last:.3g}: the learning rate{rate} is "
            "too high.",
            f"Take a lower one{smaller}, or limit the gradients by the optimizer's clipnorm=1.0.",
            step,
        )

    def has_exploded(self) -> bool:
        """Return whether the loss is ten times that of the first ten steps, and not by some outliers.

        It has then doubled three times in a row, or stays there for thirty steps.
        """
        if len(self._windows) <= _DOUBLINGS:
            return False
        first = self._windows[0]
        limit = first + (_TIMES - 1) * max(abs(first), _LEAST)
        recent = self._windows[-_DOUBLINGS - 1 :]
        doubles = all(after > 2 * before > 0 for before, after in pairwise(recent))
        stays = len(self._windows) >= _LATE and min(recent[1:]) > limit
        return math.isfinite(recent[-1]) and recent[-1] > limit and (doubles or stays)
