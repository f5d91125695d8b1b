"""How far a feature may move."""

from __future__ import annotations

import dataclasses

from penstock.spelling import names_its_arguments


@names_its_arguments
@dataclasses.dataclass(frozen=True)
class DriftLimit:
    """How far a feature may move from its training statistics; None for no limit.

    What chance alone explains with so many rows is never drift, however low a limit is.

    Args:
        stability_index: Limit of the population stability index. By custom 0.1 is a small change, 0.2 a
            large one.
        divergence: Limit of the Jensen-Shannon divergence in bits, 0 to 1.
        missing: Limit of the difference of the shares of rows without a value.

    Raises:
        ValueError: If a limit is negative.

    Example:
        >>> DriftLimit(stability_index=0.1, missing=0.02)
    """

    stability_index: float | None = 0.2
    divergence: float | None = None
    missing: float | None = 0.1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and not value >= 0:
                raise ValueError(f"DriftLimit({field.name}=...) is 0 or more. Received: {value!r}")

    def exceeded(
        self,
        called: str,
        index: float | None,
        chance: float | None,
        divergence: float | None,
        missing: tuple[float, float],
        rows: int,
    ) -> list[str]:
        """Return in words which limits are exceeded.

        Args:
            called: What the feature is called.
            index: Its stability index.
            chance: The index that chance explains.
            divergence: Its divergence.
            missing: Shares of rows without a value, in training and now.
            rows: Rows now.
        """
        found = []
        beyond_chance = index is not None and chance is not None and index > chance
        measured = (
            ("stability index", index, self.stability_index),
            ("divergence", divergence, self.divergence),
        )
        for what, value, limit in measured:
            if beyond_chance and value is not None and limit is not None and value > limit:
                found.append(f"{called}: {what} {value:.2f}, over {limit:g}")
        if self.missing is not None and rows:
            before, now = missing
            # Three standard deviations of a share among so many rows.
            noise = 3 * (max(before * (1 - before), 1 / rows) / rows) ** 0.5
            if abs(now - before) > self.missing and abs(now - before) > noise:
                found.append(f"{called}: missing in {now:.1%} of rows, {before:.1%} in training")
        return found
