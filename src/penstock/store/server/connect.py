"""Connecting to PostgreSQL and MySQL."""

from __future__ import annotations

import importlib
from typing import Any

import sqlalchemy as sa

from penstock.installation import install_command
from penstock.store.exceptions import MissingDriver, StoreError, StoreUnavailable
from penstock.store.server.session import MysqlSession, PostgresqlSession, ServerSession

_CONNECT_SECONDS = 10


def open_session(url: str) -> ServerSession:
    """Return a session on the server that `url` names.

    Args:
        url: `postgresql://user:password@host:port/database?sslmode=require`, or `mysql://...`;
            the query goes to the driver.

    Raises:
        MissingDriver: If psycopg or PyMySQL is not installed.
        StoreUnavailable: If the URL is malformed or the server does not answer.
    """
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise StoreUnavailable(
            f"Not a database URL: {url.split('@')[-1]!r}. Expected "
            "postgresql://user@host/database or mysql://user@host/database."
        ) from error
    session_class: type[ServerSession]
    arguments: dict[str, Any]
    if parsed.get_backend_name().startswith("postgres"):
        driver, extra, session_class = "psycopg", "postgres", PostgresqlSession
        parsed = parsed.set(drivername="postgresql+psycopg")
        arguments = {"connect_timeout": _CONNECT_SECONDS}
    else:
        driver, extra, session_class = "pymysql", "mysql", MysqlSession
        parsed = parsed.set(drivername="mysql+pymysql")
        arguments = {"connect_timeout": _CONNECT_SECONDS}
    location = parsed.set(drivername=parsed.get_backend_name()).render_as_string(hide_password=True)
    try:
        importlib.import_module(driver)
    except ImportError as error:
        raise MissingDriver(
            f"The store {location} needs the driver {driver}: {install_command(extra)}"
        ) from error
    if driver == "pymysql":
        from pymysql.constants import CLIENT

        arguments["client_flag"] = CLIENT.MULTI_STATEMENTS
        arguments["charset"] = "utf8mb4"
    engine = sa.create_engine(
        parsed, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool, connect_args=arguments
    )
    try:
        return session_class(engine, location)
    except StoreError as error:
        if isinstance(error, StoreUnavailable):
            raise
        raise StoreUnavailable(f"The store {location} cannot be opened: {error}") from error
