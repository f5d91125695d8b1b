"""Telling people how runs ended, in a thread: a server that does not answer holds nothing up."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from penstock.notifications import ConfigError, Delivery, RunEvent, deliver, read_targets
from penstock.notifications.config import FILE

Deliveries = Future[list[Delivery]]


class Notices:
    """Delivers events to the targets in a project's `notifications.toml`, which is read for each.

    Args:
        project_root: The project's folder.
    """

    def __init__(self, project_root: Path) -> None:
        self._file = project_root / FILE
        self._thread = ThreadPoolExecutor(1, "penstock-notices")
        self._waiting: dict[str, tuple[RunEvent, Deliveries]] = {}

    def tell(self, name: str, event: RunEvent) -> None:
        """Deliver an event soon; `told` says what became of it.

        Args:
            name: The schedule.
            event: It.
        """
        self._waiting[name] = (event, self._thread.submit(self._deliver, event))

    @property
    def is_busy(self) -> bool:
        """Whether something is being delivered."""
        return bool(self._waiting)

    def has(self, name: str) -> bool:
        """Return whether an event of a schedule is being delivered."""
        return name in self._waiting

    def told(self) -> list[tuple[str, RunEvent, list[Delivery]]]:
        """Return, once, the schedules whose events are dealt with."""
        done = [name for name, (_, future) in self._waiting.items() if future.done()]
        found = []
        for name in done:
            event, future = self._waiting.pop(name)
            found.append((name, event, future.result()))
        return found

    def close(self) -> None:
        """Wait for what is being delivered; what waits is left for the next scheduler."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        for name, (_, future) in list(self._waiting.items()):
            if future.cancelled():
                del self._waiting[name]

    def _deliver(self, event: RunEvent) -> list[Delivery]:
        try:
            targets = read_targets(self._file)
        except (ConfigError, OSError) as error:
            return [Delivery(FILE, str(error))]
        return deliver(event, targets)
