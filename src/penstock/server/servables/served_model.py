"""The versions of one model: which are on disk, which are loaded, and which answers a request."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from penstock.server.errors import NotFoundError, UnavailableError
from penstock.server.servables.servable import Servable
from penstock.server.servables.status import State, VersionStatus
from penstock.serving.versions import version_folders

if TYPE_CHECKING:
    from penstock.server.config import ModelSource

LOG = logging.getLogger("penstock.server")

Load = Callable[[str, int, str], Servable]


class Use:
    """A version in use: it is not unloaded before the `with` block ends."""

    def __init__(self, slot: _Slot) -> None:
        self._slot = slot

    def __enter__(self) -> Servable:
        self._slot.users += 1
        return self._slot.servable

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._slot.users -= 1
        if not self._slot.users:
            self._slot.unused.set()


class _Slot:
    """A loaded version, and how many requests use it."""

    def __init__(self, servable: Servable) -> None:
        self.servable = servable
        self.users = 0
        self.unused = asyncio.Event()


class ServedModelVersions:
    """The versions of one model; used on the event loop.

    Args:
        source: The model.
        load: Loads a version: `load(name, version, folder)`, called in a thread.
    """

    def __init__(self, source: ModelSource, load: Load) -> None:
        self.source = source
        self._load = load
        self._slots: dict[int, _Slot] = {}
        self._statuses: dict[int, VersionStatus] = {}
        self._broken: dict[int, object] = {}
        self._unloading: set[asyncio.Task[None]] = set()

    @property
    def available(self) -> list[int]:
        """The versions that answer, ascending."""
        return sorted(self._slots)

    def statuses(self) -> list[VersionStatus]:
        """Return the state of each version that was ever chosen, the highest first."""
        return [self._statuses[version] for version in sorted(self._statuses, reverse=True)]

    def use(self, version: int | None = None, label: str | None = None) -> Use:
        """Return a version for a `with` block; see `Servables.get`."""
        label = label or (self.source.default_label if version is None else None)
        if label is not None:
            version = self._labelled(label)
        if version is None:
            if not self._slots:
                raise UnavailableError(self._nothing_loaded())
            version = max(self._slots)
        if version not in self._slots:
            raise NotFoundError(
                f"Version {version} of {self.source.name!r} is not served. "
                f"Versions: {', '.join(map(str, self.available)) or 'none'}"
            )
        return Use(self._slots[version])

    def labels(self) -> dict[str, int]:
        """Return the versions by label."""
        return dict(self.source.labels)

    def _labelled(self, label: str) -> int:
        labels = self.labels()
        if label not in labels:
            raise NotFoundError(
                f"{self.source.name!r} has no label {label!r}. "
                f"Labels: {', '.join(sorted(labels)) or 'none'}"
            )
        return labels[label]

    def _nothing_loaded(self) -> str:
        failed = next((each for each in self.statuses() if each.error_message), None)
        if failed is not None:
            return (
                f"No version of {self.source.name!r} is loaded. Version {failed.version}: "
                f"{failed.error_message}"
            )
        if self._statuses:
            return f"{self.source.name!r} is being loaded."
        return f"{self.source.name!r} has no version in {self.source.folder} yet."

    async def update(self) -> None:
        """Load what the policy chooses of the versions on disk, then drop what it does not."""
        folders = await asyncio.to_thread(version_folders, self.source.folder)
        marks = {version: _mark(folder) for version, folder in folders.items()}
        for version in list(self._broken):
            if self._broken[version] != marks.get(version):
                del self._broken[version]  # it was replaced: try again
        while True:
            sound = [version for version in folders if version not in self._broken]
            chosen = self.source.policy.chosen(sound)
            chosen |= set(self.labels().values()) & set(sound)
            missing = sorted(chosen - set(self._slots), reverse=True)
            if not missing:
                break
            await self._try(missing[0], folders[missing[0]], marks[missing[0]])
        for version in self.available:
            if version not in chosen and (chosen or version in self._broken):
                self._drop(version)

    async def _try(self, version: int, folder: str, mark: object) -> None:
        name = self.source.name
        self._statuses[version] = VersionStatus(version, State.LOADING)
        LOG.info("%s: loading version %d from %s", name, version, folder)
        try:
            servable = await asyncio.to_thread(self._load, name, version, folder)
        except Exception as error:
            self._broken[version] = mark
            kept = ", ".join(map(str, self.available))
            message = f"{type(error).__name__}: {error}"
            self._statuses[version] = VersionStatus(version, State.END, "INTERNAL", message)
            LOG.error(
                "%s: version %d cannot be served, %s. %s",
                name,
                version,
                f"so version {kept} stays" if kept else "and there is no other",
                message,
            )
            return
        self._slots[version] = _Slot(servable)
        self._statuses[version] = VersionStatus(version, State.AVAILABLE)
        LOG.info("%s: version %d is available", name, version)

    def _drop(self, version: int) -> None:
        slot = self._slots.pop(version)
        self._statuses[version] = VersionStatus(version, State.UNLOADING)
        task = asyncio.get_running_loop().create_task(self._unload(version, slot))
        self._unloading.add(task)
        task.add_done_callback(self._unloading.discard)

    async def _unload(self, version: int, slot: _Slot) -> None:
        """Close a version after its last request."""
        while slot.users:
            slot.unused.clear()
            await slot.unused.wait()
        await asyncio.to_thread(slot.servable.close)
        del slot
        gc.collect()
        if self._statuses[version].state is State.UNLOADING:
            self._statuses[version] = VersionStatus(version, State.END)
        LOG.info("%s: version %d is unloaded", self.source.name, version)

    async def close(self) -> None:
        """Unload all versions."""
        for version in self.available:
            self._drop(version)
        await asyncio.gather(*self._unloading)


def _mark(folder: str) -> object:
    """Return what changes when a folder is replaced."""
    try:
        files = sorted((entry.name, entry.stat().st_mtime_ns) for entry in os.scandir(folder))
        return os.stat(folder).st_ino, tuple(files)
    except OSError:
        return None
