"""How a node is attempted: retries, timeout, caching."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from penstock.dsl.exceptions import ParameterError
from penstock.spelling import names_its_arguments


@names_its_arguments
@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """How often and how long a node is tried, and whether its result may be reused.

    It means the same on every runner. A runner that does not support a setting says so before the
    run.

    Args:
        retries: Further attempts after a failed one.
        backoff_seconds: Wait before the first retry; doubled before each further one.
        max_backoff_seconds: Longest wait.
        timeout_seconds: Longest time of an attempt; None for no limit.
        cache: Whether an earlier execution with the same key may be reused.
        cache_max_age_seconds: Age from which it may not be reused; None for no limit.
        success_optional: Whether downstream nodes run even if this one failed.
        gate: Whether a node that judges holds back the other nodes that read what it judges.
        wait_for_gates: Whether the node is held back by gates on what it reads.

    Raises:
        ParameterError: If a count or a time is negative, or a value is of another type.
    """

    retries: int = 0
    backoff_seconds: float = 1.0
    max_backoff_seconds: float = 300.0
    timeout_seconds: float | None = None
    cache: bool = True
    cache_max_age_seconds: float | None = None
    success_optional: bool = False
    gate: bool = True
    wait_for_gates: bool = True

    def __post_init__(self) -> None:
        self._check_types()
        for field in ("retries", "backoff_seconds", "max_backoff_seconds"):
            if getattr(self, field) < 0:
                raise ParameterError(
                    f"Policy.{field} cannot be negative. Received: {getattr(self, field)!r}"
                )
        for field in ("timeout_seconds", "cache_max_age_seconds"):
            value = getattr(self, field)
            if value is not None and value <= 0:
                raise ParameterError(f"Policy.{field} must be above 0. Received: {value!r}")

    def _check_types(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool):
                fits, expected = isinstance(value, bool), "True or False"
            elif field.name == "retries":
                fits, expected = _is_number(value, int), "a whole number"
            else:
                fits, expected = _is_number(value, (int, float)), "a number of seconds"
                fits = fits or (value is None and field.default is None)
            if not fits:
                raise ParameterError(f"Policy.{field.name} is {expected}. Received: {value!r}")

    def backoff(self, failures: int) -> float:
        """Return the seconds to wait after the `failures`-th failed attempt (from 1).

        Example:
            >>> [Policy(backoff_seconds=2, max_backoff_seconds=5).backoff(n) for n in (1, 2, 3)]
            [2.0, 4.0, 5]
        """
        return min(self.backoff_seconds * 2.0 ** (failures - 1), self.max_backoff_seconds)

    def to_json(self) -> dict[str, Any]:
        """Return the settings that differ from the defaults."""
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        }


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value)
