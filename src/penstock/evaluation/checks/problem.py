"""What can be wrong in an EvalConfig, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ConfigProblem:
    """Something in an EvalConfig that cannot be.

    Args:
        place: Where, such as `metrics_specs[0].metrics[2]`; empty for the whole.
        message: What is wrong, and what to do.
    """

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message
