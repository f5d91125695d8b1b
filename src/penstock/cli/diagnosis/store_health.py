"""The metadata store: whether it opens, is whole, and holds runs whose process is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from penstock.cli.diagnosis.finding import Diagnosis
from penstock.cli.quantities import size
from penstock.installation import install_command

if TYPE_CHECKING:
    from penstock.store import MetadataStore


def check_store(location: str) -> Iterator[Diagnosis]:
    """Yield what is to say of the store at `location`, a URL or an absolute path."""
    path = location.removeprefix("sqlite:///")
    is_file = "://" not in path
    if is_file and not os.path.exists(path):
        yield Diagnosis("good", "store", f"none yet at {path}; the first run makes it")
        return
    try:
        from penstock.store import MetadataStore, StoreError
    except ImportError as error:
        yield Diagnosis("problem", "store", str(error), install_command())
        return
    try:
        with MetadataStore.open(location, create=False, read_only=is_file) as store:
            shown = (
                f"{store.location}, {size(os.path.getsize(path))}" if is_file else store.location
            )
            yield from _check_integrity(store, shown, is_file)
            yield from _check_runs(store)
    except StoreError as error:
        yield Diagnosis("problem", "store", str(error), "see docs/cli.md, `doctor`")


def _check_integrity(store: MetadataStore, shown: str, is_file: bool) -> Iterator[Diagnosis]:
    ((mlmd,),) = store.session.query("SELECT max(schema_version) FROM MLMDEnv")
    ((own,),) = store.session.query("SELECT max(version) FROM penstock_version")
    ((runs,),) = store.session.query("SELECT count(*) FROM penstock_run")
    ((executions,),) = store.session.query("SELECT count(*) FROM Execution")
    text = f"{shown}; ML Metadata schema {mlmd}, Penstock's {own}; {runs} runs, {executions} executions"
    if is_file:
        answer = [str(row[0]) for row in store.session.query("PRAGMA quick_check(5)")]
        if answer != ["ok"]:
            yield Diagnosis(
                "problem",
                "store",
                f"{shown} is damaged: {answer[0]}",
                "restore a backup (beside the store), or save what can be read: "
                "sqlite3 STORE .recover | sqlite3 NEW",
            )
            return
    yield Diagnosis("good", "store", text)


def _check_runs(store: MetadataStore) -> Iterator[Diagnosis]:
    rows = store.session.query(
        "SELECT run_id FROM penstock_run WHERE state = 'RUNNING' ORDER BY started DESC"
    )
    alive = [str(run_id) for (run_id,) in rows if store.is_held(run_id)]
    dead = [str(run_id) for (run_id,) in rows if run_id not in alive]
    if alive:
        yield Diagnosis("good", "runs", f"running now: {', '.join(alive)}")
    if dead:
        yield Diagnosis(
            "warning",
            "runs",
            f"not ended, but their process is gone: {', '.join(dead[:5])}",
            f"penstock resume {dead[0]}",
        )
