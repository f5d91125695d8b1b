"""Small results of a Beam pipeline, back in the process that started it.

A pipeline returns nothing, and Beam's metrics count retried bundles twice. So what a pipeline found out
is written as data: a file a key, in a folder that workers and the submitting process both reach.
"""

from __future__ import annotations

import pickle
import uuid
from types import TracebackType
from typing import Any, Self

import apache_beam as beam

from penstock.artifacts import location


class Exchange:
    """A folder for the results of one pipeline; removed at the end.

    Args:
        folder: A path or URL that every worker reaches, such as an output artifact's.

    Example:
        with Exchange(artifact.uri) as exchange:
            with engine.pipeline() as pipeline:
                pipeline | beam.Create([("rows", 3)]) | exchange.keep()
            exchange.read("rows")   # 3
    """

    def __init__(self, folder: str) -> None:
        self._folder = f"{folder.rstrip('/')}/.beam-{uuid.uuid4().hex}"

    def keep(self) -> beam.PTransform:
        """Return a transform that keeps (name, value) pairs; a name that comes twice is kept once."""
        return beam.ParDo(_Keep(self._folder))

    def read(self, name: str, default: Any = None) -> Any:
        """Return the value kept under a name, or the default."""
        path = f"{self._folder}/{name}"
        if not location.exists(path):
            return default
        return pickle.loads(location.read_bytes(path))

    def __enter__(self) -> Self:
        location.make_folder(self._folder)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        location.remove(self._folder)


class _Keep(beam.DoFn):  # type: ignore[misc]
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, element: tuple[str, Any]) -> None:
        name, value = element
        location.write_bytes(f"{self._folder}/{name}", pickle.dumps(value))
