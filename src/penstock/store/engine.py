"""Opening a session from a path or URL."""

from __future__ import annotations

import os
import re

from penstock.store.exceptions import StoreUnavailable
from penstock.store.session import Session
from penstock.store.sqlite.reserve import Reserve


def open_session(
    url: str, *, create: bool, read_only: bool, durability: str
) -> tuple[Session, Reserve | None]:
    """Return an open session, and for a SQLite file its reserve.

    Args:
        url: A path, or a URL whose scheme names the database.
        create: Whether a missing file may be created.
        read_only: Whether nothing may be changed.
        durability: "normal" or "full".

    Raises:
        StoreUnavailable: If the scheme is unknown or the database cannot be reached.
    """
    scheme = re.match(r"([a-z][a-z0-9+]+)://", url)
    if scheme is None or scheme[1].startswith("sqlite"):
        from penstock.store.sqlite import database
        from penstock.store.sqlite.session import SqliteSession

        path = url if scheme is None else re.sub(r"^sqlite(\+\w+)?:///?", "", url)
        if not path or path == ":memory:":
            raise StoreUnavailable(
                f"A store in memory would be lost with the process. Give a file. Received: {url!r}"
            )
        # Leases and backups lie beside it, whatever the working directory becomes.
        path = os.path.abspath(path)
        engine = database.create_engine(
            path, create=create, read_only=read_only, synchronous=durability.upper()
        )
        return SqliteSession(engine, path), Reserve(path)
    family = scheme[1].split("+")[0]
    if family in ("postgresql", "postgres", "mysql", "mariadb"):
        from penstock.store.server import connect

        return connect.open_session(url), None
    raise StoreUnavailable(
        f"Unknown kind of store: {scheme[1]}://. Expected a path, sqlite:///, postgresql:// or "
        "mysql://."
    )
