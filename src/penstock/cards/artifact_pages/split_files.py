"""The files of an artifact with one file per split, or one file and no splits."""

from __future__ import annotations

from penstock.artifacts import SplitArtifact, location
from penstock.cards.row_preview import names_of_splits


def files_by_split(artifact: SplitArtifact, file: str) -> dict[str, str]:
    """Return the path of a file by split, or by pair of splits; under "" where there are no splits.

    It is empty where the artifact declares that it has no split, since there was nothing to do.

    Raises:
        FileNotFoundError: If a file is missing.
    """
    root = artifact.uri.rstrip("/")
    if artifact.properties.get("split_names") and not artifact.splits:
        return {}
    found = {}
    for name in names_of_splits(artifact):
        pair = f"{root}/SplitPair-{name}/{file}"
        found[name] = pair if location.exists(pair) else f"{artifact.split_uri(name)}/{file}"
    found = found or {"": f"{root}/{file}"}
    for path in found.values():
        if not location.exists(path):
            raise FileNotFoundError(f"{path} is missing")
    return found
