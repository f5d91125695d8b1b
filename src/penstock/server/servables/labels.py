"""The labels of a model: where each should point, and where it does until that version answers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

LOG = logging.getLogger("penstock.server")


class Labels:
    """Labels of versions, such as `champion`; a label moves only to a version that answers.

    Args:
        model: The model's name, for the log.
        configured: Versions by label from the server's configuration; they come before the aliases
            that were pushed.
    """

    def __init__(self, model: str, configured: Mapping[str, int]) -> None:
        self._model = model
        self._configured = dict(configured)
        self._wanted: dict[str, int] = dict(configured)
        self._current: dict[str, int] = {}
        self._held_back: dict[str, int] = {}

    @property
    def current(self) -> dict[str, int]:
        """The version that answers for each label."""
        return dict(self._current)

    @property
    def wanted(self) -> dict[str, int]:
        """The version that each label should name."""
        return dict(self._wanted)

    def configure(self, configured: Mapping[str, int]) -> None:
        """Take over other labels from the server's configuration; aliases follow with `want`."""
        self._configured = dict(configured)

    def want(self, aliases: Mapping[str, int]) -> None:
        """Take over the aliases of a destination."""
        self._wanted = {**aliases, **self._configured}
        for label in set(self._current) - set(self._wanted):
            del self._current[label]

    def versions(self, sound: Collection[int]) -> set[int]:
        """Return the versions that labels need.

        Args:
            sound: The versions that are there and not broken.
        """
        needed = set()
        for label, version in self._wanted.items():
            needed.add(version if version in sound else self._current.get(label, version))
        return needed & set(sound)

    def move(self, available: Collection[int]) -> None:
        """Let labels name what they should, where that version answers."""
        for label, version in self._wanted.items():
            before = self._current.get(label)
            if version in available:
                if before != version:
                    self._current[label] = version
                    LOG.info("%s: the label %s is version %d", self._model, label, version)
                self._held_back.pop(label, None)
                continue
            if self._held_back.get(label) != version:
                self._held_back[label] = version
                stays = "names no version" if before is None else f"stays at version {before}"
                LOG.warning(
                    "%s: the label %s %s: version %d is not served",
                    self._model,
                    label,
                    stays,
                    version,
                )
            if before is not None and before not in available:
                del self._current[label]
