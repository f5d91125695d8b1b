"""The files of an artifact that has one file a split, or one file and no splits."""

from __future__ import annotations

from penstock.artifacts import SplitArtifact, location
from penstock.cards.row_preview import names_of_splits


def files_by_split(artifact: SplitArtifact, file: str) -> dict[str, str]:
    """Return the path of a file by split; under "" where there are no splits.

    Raises:
        FileNotFoundError: If there is none.
    """
    names = names_of_splits(artifact)
    found = {name: f"{artifact.split_uri(name)}/{file}" for name in names}
    alone = f"{artifact.uri.rstrip('/')}/{file}"
    if not found:
        found = {"": alone}
    for path in found.values():
        if not location.exists(path):
            raise FileNotFoundError(f"{path} is missing")
    return found
