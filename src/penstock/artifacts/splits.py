"""Split folders: `Split-<name>` under the artifact's URI, in TFX's layout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from penstock.artifacts.artifact import Artifact, PropertyType


def split_uri(uri: str, split: str) -> str:
    """Return the folder of one split.

    Example:
        >>> split_uri("/root/CsvExampleGen/examples/1", "train")
        '/root/CsvExampleGen/examples/1/Split-train'
    """
    return f"{uri.rstrip('/')}/Split-{split}"


class SplitArtifact(Artifact):
    """An artifact whose content is divided into named splits.

    The names are kept in the declared property `split_names` as a JSON list, as TFX keeps them.
    """

    PROPERTIES: ClassVar = {"split_names": PropertyType.STRING}

    @property
    def splits(self) -> list[str]:
        """Names of the splits, in order; empty if none were declared."""
        names: Any = self.properties.get("split_names")
        return [str(name) for name in json.loads(names)] if names else []

    @splits.setter
    def splits(self, names: Sequence[str]) -> None:
        self.properties["split_names"] = json.dumps(list(names))

    def split_uri(self, split: str) -> str:
        """Return the folder of `split`.

        Raises:
            KeyError: If the artifact declares its splits and `split` is not one of them.
        """
        if self.splits and split not in self.splits:
            raise KeyError(
                f"{self.TYPE_NAME} at {self.uri} has no split {split!r}; it has {self.splits}"
            )
        return split_uri(self.uri, split)

    def splits_without(self, excluded: Sequence[str]) -> list[str]:
        """Return the splits without the excluded ones.

        Raises:
            ValueError: If an excluded split does not exist, or none is left.
        """
        unknown = sorted(set(excluded) - set(self.splits))
        if unknown:
            raise ValueError(
                f"exclude_splits={list(excluded)} names {unknown}, which {self.TYPE_NAME} at "
                f"{self.uri} does not have. Splits: {self.splits}"
            )
        kept = [split for split in self.splits if split not in excluded]
        if not kept:
            raise ValueError(
                f"No split of {self.TYPE_NAME} at {self.uri} is left. "
                f"Splits: {self.splits}, exclude_splits={list(excluded)}"
            )
        return kept
