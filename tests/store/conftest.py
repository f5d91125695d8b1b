"""The engines under test: SQLite always, servers where their binaries are installed."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from penstock.store import MetadataStore

_SPEC = importlib.util.spec_from_file_location(
    "store_servers", Path(__file__).parent / "servers.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
servers = importlib.util.module_from_spec(_SPEC)
sys.modules["store_servers"] = servers
_SPEC.loader.exec_module(servers)

_numbers = itertools.count()

ENGINES = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.server),
    pytest.param("mariadb", marks=pytest.mark.server),
]


@pytest.fixture(scope="session")
def server_url() -> Iterator[Callable[[str], str]]:
    """Return a function that starts a server once and returns its URL."""
    started: dict[str, str] = {}
    with ExitStack() as stack:

        def start(engine: str) -> str:
            if engine not in started:
                pytest.importorskip("psycopg" if engine == "postgresql" else "pymysql")
                try:
                    started[engine] = stack.enter_context(getattr(servers, engine)())
                except servers.Absent as absent:
                    pytest.skip(str(absent))
            return started[engine]

        yield start


@pytest.fixture(params=ENGINES)
def url(request: pytest.FixtureRequest, tmp_path: Path, server_url: Callable[[str], str]) -> str:
    """URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/metadata.db"
    server = server_url(request.param)
    name = f"test_{next(_numbers)}"
    servers.create_database(server, name)
    return server.rpartition("/")[0] + "/" + name


@pytest.fixture
def store(url: str) -> Iterator[MetadataStore]:
    """An empty store."""
    with MetadataStore.open(url) as opened:
        yield opened
