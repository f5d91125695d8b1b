"""Several Examples artifacts that are read as one: their splits and files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.artifacts import Examples
from penstock.transform import SplitsConfig

if TYPE_CHECKING:
    from penstock.transform import Shards


def splits_to_use(sources: Sequence[Examples], config: SplitsConfig | None) -> SplitsConfig:
    """Returns which splits are analyzed and transformed.

    Args:
        sources: the artifacts; at least one.
        config: what the user wants; by default `train` is analyzed and every split transformed.

    Raises:
        ValueError: if the sources have not the same splits, or not those that are wanted.
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


def shards_of(sources: Sequence[Examples], splits: Sequence[str]) -> dict[str, list[Shards]]:
    """Returns the files of each split, one entry for each source."""
    from penstock.io import split_files
    from penstock.transform import Shards

    return {
        split: [
            Shards(
                split_files(source.uri, split),
                source.file_format,
                source.payload_format,
            )
            for source in sources
        ]
        for split in splits
    }


def joined(splits: Mapping[str, Sequence[Shards]]) -> dict[str, Shards]:
    """Returns the files of each split as one, for Beam.

    Raises:
        ValueError: if their formats differ.
    """
    return {split: _join(split, places) for split, places in splits.items()}


def _join(split: str, places: Sequence[Shards]) -> Shards:
    formats = {(place.file_format, place.payload_format) for place in places}
    if len(formats) > 1:
        raise ValueError(
            "On Beam all examples of a Transform must have the same file and payload format. "
            f"Split {split!r} has {sorted(formats)}."
        )
    return dataclasses.replace(places[0], files=[file for place in places for file in place.files])
