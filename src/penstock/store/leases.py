"""Leases: which runs belong to a live process, and taking over those of dead ones."""

from __future__ import annotations

import json
from functools import partial
from types import TracebackType
from typing import Self

from penstock.store.base import milliseconds
from penstock.store.exceptions import LeaseHeld
from penstock.store.publishing.executions import Executions
from penstock.store.records import ExecutionState, RunState
from penstock.store.session import LEASE_SECONDS, HeldLease, Session

DEAD = "killed: the process that ran it is gone"
"""The error of an execution or a run whose lease died."""

UNHEARD = "no container of the run has been heard of for a long time: see Kubeflow for how it ended"
"""The error of a run without a process of its own whose lease has expired."""

_NOBODY = "containers"


class Lease:
    """A lease: while it is held, a run and the executions that it registers count as alive.

    On SQLite it is a locked file, which needs no renewal; on a server, a row that lasts for a
    minute by the server's clock and must be renewed every `interval` seconds.

    Made by `MetadataStore.acquire_lease`; a context manager that releases it.
    """

    interval = LEASE_SECONDS / 4
    """Seconds after which to call `renew`."""

    def __init__(self, session: Session, held: HeldLease) -> None:
        self._session = session
        self._held = held

    @property
    def name(self) -> str:
        """Name of the lease: its run's id by default."""
        return self._held.name

    @property
    def descriptor(self) -> int | None:
        """Descriptor of the locked file: the lease is held while any process that inherited it lives.

        None on a server, where a lease outlasts its owner by seconds anyway.
        """
        return self._held.descriptor

    def renew(self) -> bool:
        """Keep the lease; return whether somebody asked the run of its name to stop.

        Raises:
            LeaseHeld: If it expired and another process took it: end without publishing.
        """
        asked_to_stop = self._held.renew()
        if asked_to_stop is not None:
            return asked_to_stop
        rows = self._session.query(
            "SELECT stop_requested FROM penstock_run WHERE run_id = ?", (self.name,)
        )
        return bool(rows and rows[0][0])

    def release(self) -> None:
        """Give the lease up; idempotent."""
        self._held.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class Leases(Executions):
    """The part of the store that knows who is alive."""

    def acquire_lease(self, name: str) -> Lease:
        """Take the lease of a run, before `create_run` or `reopen_run`.

        Args:
            name: The run's id; in a pod, which owns one node, any name of its own, which it also
                gives to `register_execution`.

        Raises:
            LeaseHeld: If a live process holds it.
        """
        return Lease(self._session, self._session.take_lease(name))

    def is_held(self, name: str) -> bool:
        """Return whether a live process holds the lease `name`."""
        return self._session.is_lease_held(name)

    def hold(self, name: str, seconds: float) -> None:
        """Let a name count as held for some time, whatever becomes of this process.

        It is how several processes together keep a run alive that none of them owns: each holds it anew
        from time to time, and the last one's time runs out by itself.

        Args:
            name: The run's id.
            seconds: From now, by the server's clock.
        """
        session = self._session
        expires = f"{session.clock} + {round(seconds * 1000)}"

        def write() -> None:
            session.execute(
                session.insert_if_absent(
                    "penstock_lease(name, owner, expires)", f"(?, ?, {expires})"
                ),
                (name, _NOBODY),
            )
            session.execute(
                f"UPDATE penstock_lease SET owner = ?, expires = {expires} WHERE name = ?",
                (_NOBODY, name),
            )

        session.atomically(write)

    def take_over_dead(self) -> list[str]:
        """Mark executions and runs whose process is gone as FAILED; return their leases' names.

        Each dead lease is taken, so that of several callers one does the work, and given back.
        """
        rows = self._session.query(
            "SELECT DISTINCT lease FROM penstock_execution WHERE finished IS NULL "
            "UNION SELECT run_id FROM penstock_run WHERE state = 'RUNNING'"
        )
        taken = []
        for (name,) in rows:
            if not self.is_held(name):
                try:
                    lease = self.acquire_lease(name)
                except LeaseHeld:
                    continue
                with lease:
                    self._with_reserve(partial(self._bury, name))
                taken.append(str(name))
        return taken

    def _bury(self, name: str) -> None:
        running = self._session.query(
            "SELECT execution_id FROM penstock_execution WHERE finished IS NULL AND lease = ?",
            (name,),
        )
        for (execution_id,) in running:
            self._fail_running(execution_id, ExecutionState.FAILED, DEAD, None, None)
        rows = self._session.query("SELECT labels FROM penstock_run WHERE run_id = ?", (name,))
        spread = bool(rows) and json.loads(rows[0][0]).get("runner") is not None
        self._session.execute(
            "UPDATE penstock_run SET state = ?, finished = ?, error = ? "
            "WHERE run_id = ? AND state = 'RUNNING'",
            (RunState.FAILED.value, milliseconds(), UNHEARD if spread else DEAD, name),
        )
