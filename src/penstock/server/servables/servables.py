"""All the models of a server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from penstock.server.config import Batching, ModelSource
from penstock.server.errors import NotFoundError
from penstock.server.servables.loading import Loader
from penstock.server.servables.servable import Servable
from penstock.server.servables.served_model import ServedModelVersions, Use
from penstock.server.servables.status import VersionStatus
from penstock.spelling import nearest

LOG = logging.getLogger("penstock.server")


class Servables:
    """The models of a server: watched, loaded, and handed to requests. Used on the event loop.

    Args:
        sources: The models.
        batching: How requests are computed together.
        watch_seconds: How often the folders are looked at.

    Example:
        >>> async with Servables([ModelSource("taxi", "serving/taxi")]) as servables:
        ...     with servables.get("taxi") as servable:
        ...         outputs = await servable.predict("", {"miles": miles})
    """

    def __init__(
        self,
        sources: Sequence[ModelSource],
        batching: Batching = Batching(),  # noqa: B008
        watch_seconds: float = 1.0,
    ) -> None:
        self._batching = batching
        self._watch_seconds = watch_seconds
        self._executor = ThreadPoolExecutor(batching.threads, "penstock-compute")
        self._loader = Loader(self._executor, batching)
        self._models = {source.name: self._versions_of(source) for source in sources}
        self._watching: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    def _versions_of(self, source: ModelSource) -> ServedModelVersions:
        return ServedModelVersions(source, self._load)

    @property
    def names(self) -> list[str]:
        """The names of the models."""
        return sorted(self._models)

    @property
    def ready(self) -> bool:
        """Whether every model answers requests that name no version."""
        return all(model.ready for model in self._models.values())

    def get(self, name: str, version: int | None = None, label: str | None = None) -> Use:
        """Return a version of a model, for a `with` block during which it is not unloaded.

        Args:
            name: The model's name.
            version: The version; by default that of the model's default label, else the highest.
            label: The label of the version, instead.

        Raises:
            NotFoundError: If there is no such model, version or label.
            UnavailableError: If no version is loaded; the message says why.
        """
        return self.model(name).use(version, label)

    def model(self, name: str) -> ServedModelVersions:
        """Return the versions of a model.

        Raises:
            NotFoundError: If it is not served.
        """
        if name not in self._models:
            raise NotFoundError(
                f"There is no model {name!r}.{nearest(name, self._models)} "
                f"Models: {', '.join(self.names) or 'none'}"
            )
        return self._models[name]

    def statuses(self, name: str, version: int | None = None) -> list[VersionStatus]:
        """Return the state of a model's versions, the highest first.

        Raises:
            NotFoundError: If there is no such model or version.
        """
        statuses = self.model(name).statuses()
        if version is None:
            return statuses
        found = [each for each in statuses if each.version == version]
        if not found:
            raise NotFoundError(f"Could not find version {version} of model {name}")
        return found

    async def update(self) -> None:
        """Look at the folders now, and load and drop what they ask for."""
        async with self._changing:
            for model in self._models.values():
                await _update(model)

    async def reconfigure(self, sources: Sequence[ModelSource]) -> None:
        """Serve these models and no others; each new one is loaded before the old ones are dropped.

        A model that was served keeps what a source does not say here: its memory bound and default label.

        Args:
            sources: The models.
        """
        async with self._changing:
            old, new = self._models, {}
            for source in sources:
                model = old.get(source.name)
                if model is not None and model.source.folder == source.folder:
                    model.reconfigure(source.policy, source.labels)
                else:
                    model = self._versions_of(source)
                new[source.name] = model
                await _update(model)
            self._models = new
            for name, model in old.items():
                if new.get(name) is not model:
                    await model.close()

    def watch(self) -> None:
        """Begin to look at the folders, the first time at once."""
        if self._watching is None:
            self._watching = asyncio.get_running_loop().create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            try:
                await self.update()
            except Exception:
                LOG.exception("The folders of models cannot be watched")
            await asyncio.sleep(self._watch_seconds)

    async def close(self) -> None:
        """Stop watching and unload all models, after the requests in progress."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        for model in self._models.values():
            await model.close()
        self._executor.shutdown()

    def _load(self, source: ModelSource, version: int, folder: str) -> Servable:
        """Load a version; called in a thread."""
        return self._loader.load(source, version, folder)

    async def __aenter__(self) -> Servables:
        await self.update()
        self.watch()
        return self

    async def __aexit__(self, *ended: object) -> None:
        await self.close()


async def _update(model: ServedModelVersions) -> None:
    try:
        await model.update()
    except OSError as error:  # a disk that is away for a moment
        LOG.error("%s: %s cannot be read: %s", model.source.name, model.source.folder, error)
