"""Leases of a store on a server: rows that expire by the server's clock."""

from __future__ import annotations

import os
import socket
import uuid

from penstock.store.exceptions import LeaseHeld
from penstock.store.session import LEASE_SECONDS, Session


class RowLease:
    """A row of `penstock_lease`.

    Args:
        session: An open session on a server.
        name: Name of the lease, usually a run's id.

    Raises:
        LeaseHeld: If it has not expired and belongs to another.
    """

    descriptor: None = None

    def __init__(self, session: Session, name: str) -> None:
        self.name = name
        self._session = session
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
        self._expires = f"{session.clock} + {round(LEASE_SECONDS * 1000)}"
        session.atomically(self._acquire)

    def _acquire(self) -> None:
        session = self._session
        session.execute(
            f"UPDATE penstock_lease SET owner = ?, expires = {self._expires} "
            f"WHERE name = ? AND expires <= {session.clock}",
            (self._owner, self.name),
        )
        session.execute(
            session.insert_if_absent(
                "penstock_lease(name, owner, expires)", f"(?, ?, {self._expires})"
            ),
            (self.name, self._owner),
        )
        rows = session.query("SELECT owner FROM penstock_lease WHERE name = ?", (self.name,))
        if rows[0][0] != self._owner:
            raise self._lost(str(rows[0][0]))

    def renew(self) -> bool:
        """Keep the lease; return whether the run of its name was asked to stop.

        Raises:
            LeaseHeld: If it expired and another took it.
        """
        _, rows = self._session.atomically(
            lambda: self._session.fetch(
                (
                    f"UPDATE penstock_lease SET expires = {self._expires} "
                    "WHERE name = ? AND owner = ?",
                    (self.name, self._owner),
                ),
                (
                    "SELECT l.owner, r.stop_requested FROM penstock_lease l "
                    "LEFT JOIN penstock_run r ON r.run_id = l.name WHERE l.name = ?",
                    (self.name,),
                ),
            )
        )
        if not rows or rows[0][0] != self._owner:
            raise self._lost(str(rows[0][0]) if rows else "nobody")
        return bool(rows[0][1])

    def release(self) -> None:
        """Give the lease up; idempotent."""
        self._session.query(
            "DELETE FROM penstock_lease WHERE name = ? AND owner = ?", (self.name, self._owner)
        )

    def _lost(self, owner: str) -> LeaseHeld:
        return LeaseHeld(
            f"Run {self.name} belongs to another live process ({owner.rpartition(':')[0] or owner})."
            " Wait for it, or stop it with `penstock stop`."
        )
