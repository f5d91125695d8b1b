"""The pairs of splits of two artifacts to compare."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.artifacts.splits import SplitArtifact


def split_pairs(
    artifact: SplitArtifact,
    baseline: SplitArtifact,
    include: Sequence[Sequence[str]] | None,
    *,
    by_default_same_name: bool,
) -> list[tuple[str, str]]:
    """Return pairs of a split and a split of the baseline.

    Args:
        artifact: The artifact to examine.
        baseline: The artifact to compare with.
        include: The chosen pairs; by default all pairs, or all of the same name.
        by_default_same_name: Which of these two defaults applies.

    Raises:
        ValueError: If a chosen pair does not exist, or there are no pairs.
    """
    every = [(a, b) for a in artifact.splits for b in baseline.splits]
    there = f"Splits: {artifact.splits}; of the baseline: {baseline.splits}."
    if include is not None:
        wanted = [(a, b) for a, b in include]
        unknown = [pair for pair in wanted if pair not in every]
        if unknown:
            raise ValueError(f"include_split_pairs names {unknown}, which do not exist. {there}")
        pairs = [pair for pair in every if pair in wanted]
    else:
        pairs = [(a, b) for a, b in every if a == b or not by_default_same_name]
    if not pairs:
        raise ValueError(f"There are no splits to compare. {there}")
    return pairs


def check_pairs(include: Sequence[Sequence[str]] | None) -> None:
    """Check the form of `include_split_pairs`."""
    bad = [
        pair
        for pair in include or ()
        if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(s, str) for s in pair)
    ]
    if bad:
        raise ValueError(
            "include_split_pairs must be pairs (split, split of the baseline). "
            f"Received: {bad[0]!r}"
        )
