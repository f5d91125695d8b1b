"""What importing and opening a store costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from penstock import store


def loaded(code: str) -> set[str]:
    """Return the names of the modules that are loaded after `code`."""
    tell = "import sys; print(' '.join(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tell}"], check=True, capture_output=True, text=True
    )
    return set(answer.stdout.split())


HEAVY = {
    "tensorflow",
    "apache_beam",
    "pyarrow",
    "numpy",
    "pandas",
    "psycopg",
    "pymysql",
    "google.protobuf",
}


def test_importing_the_room_loads_no_sqlalchemy() -> None:
    assert not loaded("import penstock.store") & (HEAVY | {"sqlalchemy"})
    assert not loaded("from penstock.store import RunRecord, StoreError") & {"sqlalchemy"}


def test_opening_a_store_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "from penstock.store import MetadataStore\n"
        f"MetadataStore.open({str(tmp_path / 'm.db')!r}).close()"
    )
    modules = loaded(code)
    assert "sqlalchemy" in modules
    assert not modules & HEAVY


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [("postgresql://h/d", "psycopg", "postgres"), ("mysql://h/d", "pymysql", "mysql")],
)
def test_a_missing_driver_names_its_extra(
    url: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"pip install 'penstock-ml\[{extra}\]'"):
        store.MetadataStore.open(url)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_does_not_answer(scheme: str) -> None:
    pytest.importorskip("psycopg" if scheme == "postgresql" else "pymysql")
    with pytest.raises(store.StoreUnavailable, match="cannot be reached") as caught:
        store.MetadataStore.open(f"{scheme}://me:secret@127.0.0.1:9/db")
    assert "secret" not in str(caught.value)
    with pytest.raises(store.StoreUnavailable, match="Not a database URL"):
        store.MetadataStore.open(f"{scheme}://me:secret@host:port/db")


def test_every_export_is_there() -> None:
    for name in store.__all__:
        assert getattr(store, name).__name__ == name
    assert set(store.__all__) <= set(dir(store))
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        store.Nothing  # noqa: B018
