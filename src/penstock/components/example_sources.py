"""Several Examples artifacts read as one: their splits and files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.artifacts import Examples
from penstock.transform import SplitsConfig

if TYPE_CHECKING:
    from penstock.io import ExamplesSplit


def splits_to_use(sources: Sequence[Examples], config: SplitsConfig | None) -> SplitsConfig:
    """Return which splits are analyzed and transformed.

    Args:
        sources: the artifacts; at least one.
        config: the user's choice; by default `train` is analyzed and every split is transformed.

    Raises:
        ValueError: if the sources have different splits, or lack a chosen one.
    """
    available = sources[0].splits
    for source in sources[1:]:
        if set(source.splits) != set(available):
            raise ValueError(
                "All examples of a Transform must have the same splits. Received: "
                f"{available} at {sources[0].uri}, and {source.splits} at {source.uri}."
            )
    splits = config or SplitsConfig(["train"], available)
    unknown = sorted({*splits.analyze, *splits.transform} - set(available))
    if unknown:
        raise ValueError(
            f"The examples at {sources[0].uri} have no split {unknown}; they have "
            f"{available}. Name the splits in "
            "splits_config=SplitsConfig(analyze=[...], transform=[...])."
        )
    return splits


def source_splits(sources: Sequence[Examples], names: Sequence[str]) -> list[ExamplesSplit]:
    """Return each split of each source, grouped by name."""
    from penstock.io import ExamplesSplit

    return [ExamplesSplit.of(source, name) for name in names for source in sources]
