"""Keeping a run's lease while it runs, and hearing of `penstock stop`."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from penstock.runners.local.stop import StopRequest
from penstock.store import Lease, LeaseHeld, StoreError

_SECONDS = 1.0
"""How often the store is asked whether the run should stop."""


class LeaseRenewal:
    """A thread that renews a lease and passes on what it hears; a context manager.

    Args:
        lease: The run's lease.
        stop: Is told when the run should stop, or when the lease was lost.
    """

    def __init__(self, lease: Lease, stop: StopRequest) -> None:
        self._lease = lease
        self._stop = stop
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _renew(self) -> None:
        told = False
        while not self._ended.wait(_SECONDS):
            try:
                asked = self._lease.renew()
            except LeaseHeld as error:
                self._stop.request(f"the run now belongs to another process: {error}", lost=True)
                return
            except StoreError:
                # A store that is away for a moment is met again; one that stays away fails a node.
                continue
            if asked and not told:
                told = True
                self._stop.request("stopped by `penstock stop`")
