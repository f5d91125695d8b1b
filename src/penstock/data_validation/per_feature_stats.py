"""The features that get certain statistics."""

from collections.abc import Iterable, Sequence
from typing import ClassVar


class PerFeatureStatsConfig:
    """Which features get histograms, and with them medians.

    Args:
        histogram_paths: Paths of features: names for those at the top level.
        histogram_mode: "include" for only these, "exclude" for all others.

    Raises:
        ValueError: If the mode is neither of these.

    Example:
        >>> StatsOptions(per_feature_stats_config=PerFeatureStatsConfig(["text"], "exclude"))
    """

    INCLUDE: ClassVar = "include"
    EXCLUDE: ClassVar = "exclude"

    def __init__(self, histogram_paths: Iterable[str | Sequence[str]], histogram_mode: str) -> None:
        if histogram_mode not in (self.INCLUDE, self.EXCLUDE):
            raise ValueError(
                f"histogram_mode must be {self.INCLUDE!r} or {self.EXCLUDE!r}. "
                f"Received: histogram_mode={histogram_mode!r}"
            )
        self._paths = {
            (path,) if isinstance(path, str) else tuple(path) for path in histogram_paths
        }
        self._mode = histogram_mode

    @property
    def paths(self) -> set[tuple[str, ...]]:
        """The features that it names."""
        return self._paths

    def should_compute_histograms(self, path: Sequence[str]) -> bool:
        """Whether the feature at `path` gets histograms."""
        return (tuple(path) in self._paths) == (self._mode == self.INCLUDE)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PerFeatureStatsConfig) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PerFeatureStatsConfig({sorted(self._paths)}, {self._mode!r})"
