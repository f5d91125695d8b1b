"""The base of the parts of the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from penstock.store.exceptions import RecordNotFound, StoreFull
from penstock.store.publishing.contexts import Contexts
from penstock.store.schema.type_registry import TypeRegistry
from penstock.store.session import Session
from penstock.store.sqlite.reserve import Reserve

T = TypeVar("T")


def milliseconds(seconds: float | None = None) -> int:
    """Return a time in ML Metadata's unit: milliseconds since the epoch; now by default."""
    return time.time_ns() // 1_000_000 if seconds is None else round(seconds * 1000)


class StoreBase:
    """The session, and facts about the store that are kept.

    Args:
        session: An open session.
        reserve: Space set aside for recording failures on a full disk; None on servers.
    """

    def __init__(self, session: Session, reserve: Reserve | None) -> None:
        self._session = session
        self._reserve = reserve
        self._types = TypeRegistry(session)
        self._contexts = Contexts(session, self._types)
        self._pipelines: dict[str, str] = {}
        self._execution_contexts: dict[int, list[int]] = {}

    def require_run(self, run_id: str) -> str:
        """Return the pipeline of a run.

        Raises:
            RecordNotFound: If the run does not exist.
        """
        pipeline = self._pipelines.get(run_id)
        if pipeline is None:
            rows = self._session.query(
                "SELECT pipeline FROM penstock_run WHERE run_id = ?", (run_id,)
            )
            if not rows:
                raise RecordNotFound(f"There is no run {run_id!r} in the store {self.location}.")
            pipeline = self._pipelines[run_id] = str(rows[0][0])
        return pipeline

    @property
    def location(self) -> str:
        """The store's path or URL, without a password."""
        return self._session.location

    def _with_reserve(self, work: Callable[[], T]) -> T:
        """Return `work()` as one transaction, on a full disk with the space set aside for it."""
        try:
            return self._session.atomically(work)
        except StoreFull:
            if self._reserve is None or not self._reserve.release():
                raise
            return self._session.atomically(work)
