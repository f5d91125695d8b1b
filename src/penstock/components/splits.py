"""Which splits of an artifact a component works on."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.artifacts.splits import SplitArtifact


def included_splits(artifact: SplitArtifact, exclude: Sequence[str]) -> list[str]:
    """Returns the splits of an artifact without the excluded ones.

    Raises:
        ValueError: If an excluded split does not exist, or none is left.
    """
    unknown = sorted(set(exclude) - set(artifact.splits))
    if unknown:
        raise ValueError(
            f"exclude_splits={list(exclude)} names {unknown}, which {artifact.TYPE_NAME} at "
            f"{artifact.uri} does not have. Splits: {artifact.splits}"
        )
    kept = [split for split in artifact.splits if split not in exclude]
    if not kept:
        raise ValueError(
            f"No split of {artifact.TYPE_NAME} at {artifact.uri} is left. "
            f"Splits: {artifact.splits}, exclude_splits={list(exclude)}"
        )
    return kept
