"""Bringing a store to a newer version of our tables, in place, with a backup."""

from __future__ import annotations

import time

import pytest

from penstock.store import MetadataStore, RunRecord, SchemaMismatch, StoreError
from penstock.store.schema import migration
from penstock.store.schema import penstock_tables as tables
from penstock.store.session import Session


def add_column(session: Session) -> None:
    session.execute("ALTER TABLE penstock_run ADD COLUMN cluster VARCHAR(255)")


def test_upgrade_in_place_with_a_backup(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with MetadataStore.open(url) as store:
        store.create_run(RunRecord("run", "penguin", time.time()))
    with monkeypatch.context() as newer:
        newer.setattr(tables, "VERSION", tables.VERSION + 1)
        newer.setitem(migration.UPGRADES, tables.VERSION - 1, add_column)
        with MetadataStore.open(url) as store:
            assert store.backup is not None
            rows = store.session.query("SELECT run_id, cluster FROM penstock_run")
            assert rows == [("run", None)]
            assert store.session.query("SELECT version FROM penstock_version") == [(4,)]
            backup = store.backup
            if not url.startswith("sqlite"):
                copied = backup.removeprefix("tables ").removesuffix("*") + "run"
                assert store.session.query(f"SELECT run_id FROM {copied}") == [("run",)]
        with MetadataStore.open(url) as store:
            assert store.backup is None
    with pytest.raises(SchemaMismatch, match="newer Penstock .* version 4, this code knows 3"):
        MetadataStore.open(url)
    if url.startswith("sqlite"):
        with MetadataStore.open(backup) as old:
            assert [run.run_id for run in old.list_runs()] == ["run"]


def test_an_upgrade_that_fails_changes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MetadataStore.open(url).close()

    def broken(session: Session) -> None:
        session.execute("ALTER TABLE penstock_nothing ADD COLUMN x INT")

    with monkeypatch.context() as newer:
        newer.setattr(tables, "VERSION", tables.VERSION + 1)
        newer.setitem(migration.UPGRADES, tables.VERSION - 1, broken)
        with pytest.raises(StoreError, match="penstock_nothing"):
            MetadataStore.open(url)
    with MetadataStore.open(url) as store:
        assert store.session.query("SELECT version FROM penstock_version") == [(3,)]
