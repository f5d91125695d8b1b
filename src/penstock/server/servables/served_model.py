"""The versions of one model: which are on disk, which are loaded, and which answers a request."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING

from penstock.pushing import read_aliases
from penstock.server.errors import NotFoundError, UnavailableError
from penstock.server.servables.labels import Labels
from penstock.server.servables.servable import Servable
from penstock.server.servables.status import State, VersionStatus
from penstock.serving.saved_model import ModelError
from penstock.serving.versions import version_folders

if TYPE_CHECKING:
    from penstock.server.config import ModelSource, VersionPolicy

LOG = logging.getLogger("penstock.server")

Load = Callable[["ModelSource", int, str], Servable]

_RETRY_SECONDS = 30.0
"""After which a version is tried again that found no memory, or whose storage failed."""


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


@dataclass(frozen=True)
class _Broken:
    """A version that could not be loaded: it is tried again when its folder changes, or later."""

    mark: object
    retry_at: float


class ServedModelVersions:
    """The versions of one model; used on the event loop.

    Args:
        source: The model.
        load: Loads a version: `load(source, version, folder)`, called in a thread.
    """

    def __init__(self, source: ModelSource, load: Load) -> None:
        self.source = source
        self._load = load
        self._labels = Labels(source.name, source.labels)
        self._aliases_error = ""
        self._slots: dict[int, _Slot] = {}
        self._statuses: dict[int, VersionStatus] = {}
        self._broken: dict[int, _Broken] = {}
        self._unloading: set[asyncio.Task[None]] = set()

    @property
    def available(self) -> list[int]:
        """The versions that answer, ascending."""
        return sorted(self._slots)

    @property
    def ready(self) -> bool:
        """Whether requests that name no version are answered."""
        default = self.source.default_label
        return bool(self._slots) and (default is None or default in self.labels)

    @property
    def labels(self) -> dict[str, int]:
        """The version that answers for each label."""
        return self._labels.current

    def reconfigure(self, policy: VersionPolicy, labels: Mapping[str, int]) -> None:
        """Choose versions by another policy and other labels from the next update on."""
        self.source = replace(self.source, policy=policy, labels=labels)
        self._labels.configure(labels)

    def statuses(self) -> list[VersionStatus]:
        """Return the state of each version that was ever chosen, the highest first."""
        return [self._statuses[version] for version in sorted(self._statuses, reverse=True)]

    def use(self, version: int | None = None, label: str | None = None) -> Use:
        """Return a version for a `with` block; see `Servables.get`."""
        if version is None and label is None:
            # Before its first version the default label is no reason for "no such label".
            label = self.source.default_label if self._slots else None
            wanted = self._labels.wanted.get(label or "")
            if wanted is not None and label not in self.labels:
                raise UnavailableError(
                    f"Version {wanted} of {self.source.name!r}, its {label!r}, is not loaded yet."
                )
        if label is not None:
            if label not in self.labels:
                raise NotFoundError(
                    f"{self.source.name!r} has no label {label!r} that is served. "
                    f"Labels: {', '.join(sorted(self.labels)) or 'none'}"
                )
            version = self.labels[label]
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

    def _nothing_loaded(self) -> str:
        name = self.source.name
        for each in self.statuses():
            if each.error_message:
                return f"No version of {name!r} is loaded. Version {each.version}: {each.error_message}"
        if self._statuses:
            return f"{name!r} is being loaded."
        return f"{name!r} has no version to serve in {self.source.folder} yet."

    async def update(self) -> None:
        """Load what the policy and labels choose of the versions on disk, then drop the rest.

        Raises:
            OSError: If the folder cannot be read.
        """
        folders = await asyncio.to_thread(version_folders, self.source.folder)
        await self._read_aliases()
        marks = {version: _mark(folder) for version, folder in folders.items()}
        now = time.monotonic()
        for version, broken in list(self._broken.items()):
            if broken.mark != marks.get(version) or now >= broken.retry_at:
                del self._broken[version]
        while True:
            sound = [version for version in folders if version not in self._broken]
            chosen = self.source.policy.chosen(sound) | self._labels.versions(sound)
            missing = sorted(chosen - set(self._slots), reverse=True)
            if not missing:
                break
            await self._try(missing[0], folders[missing[0]], marks[missing[0]])
        self._labels.move(self._slots)
        for version in self.available:
            # Where all folders are gone at once, what is loaded stays: it is rather the disk.
            if chosen and version not in chosen:
                self._drop(version)

    async def _read_aliases(self) -> None:
        try:
            self._labels.want(await asyncio.to_thread(read_aliases, self.source.folder))
            self._aliases_error = ""
        except (ModelError, OSError) as error:
            if str(error) != self._aliases_error:
                self._aliases_error = str(error)
                LOG.error("%s: the labels stay as they are: %s", self.source.name, error)

    async def _try(self, version: int, folder: str, mark: object) -> None:
        name = self.source.name
        self._statuses[version] = VersionStatus(version, State.LOADING)
        LOG.info("%s: loading version %d from %s", name, version, folder)
        try:
            servable = await asyncio.to_thread(self._load, self.source, version, folder)
        except Exception as error:
            passes = isinstance(error, MemoryError | OSError)
            retry_at = time.monotonic() + _RETRY_SECONDS if passes else math.inf
            self._broken[version] = _Broken(mark, retry_at)
            message = str(error) or type(error).__name__
            if not isinstance(error, ModelError | MemoryError | OSError):
                message = f"{type(error).__name__}: {message}"
            code = "RESOURCE_EXHAUSTED" if isinstance(error, MemoryError) else "INTERNAL"
            self._statuses[version] = VersionStatus(version, State.END, code, message)
            kept = ", ".join(map(str, self.available))
            LOG.error(
                "%s: version %d cannot be served%s: %s",
                name,
                version,
                f", so version {kept} stays" if kept else "",
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
        # A version that was chosen again in the meantime has another state.
        if self._statuses[version].state is State.UNLOADING:
            self._statuses[version] = VersionStatus(version, State.END)
        LOG.info("%s: version %d is unloaded", self.source.name, version)

    async def close(self) -> None:
        """Unload all versions."""
        for version in self.available:
            self._drop(version)
        await asyncio.gather(*self._unloading)


def _mark(folder: str) -> object:
    """Return what changes when a folder on this machine is replaced."""
    try:
        files = sorted((entry.name, entry.stat().st_mtime_ns) for entry in os.scandir(folder))
        return os.stat(folder).st_ino, tuple(files)
    except OSError:
        return None
