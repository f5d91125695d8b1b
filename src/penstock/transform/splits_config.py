"""Which splits a Transform analyzes and which it transforms."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from penstock.spelling import names_its_arguments


@names_its_arguments
@dataclasses.dataclass(frozen=True)
class SplitsConfig:
    """Which splits are analyzed and which are transformed: TFX's `SplitsConfig`.

    Args:
        analyze: splits that the analyzers see; at least one.
        transform: splits that are transformed; may overlap `analyze`, and may be empty.

    Raises:
        ValueError: if there is no split to analyze.

    Example:
        SplitsConfig(analyze=["train"], transform=["train", "eval", "test"])
    """

    analyze: Sequence[str]
    transform: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.analyze, str) or isinstance(self.transform, str):
            raise TypeError(f"SplitsConfig takes lists of split names. Received: {self!r}")
        if not self.analyze:
            raise ValueError(
                "SplitsConfig needs at least one split to analyze. Received: analyze=[]"
            )
