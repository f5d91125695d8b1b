"""The metadata store: whether it opens, is whole, and holds runs whose process is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from penstock.cli.diagnosis.finding import Diagnosis
from penstock.cli.quantities import size
from penstock.installation import install_command

if TYPE_CHECKING:
    from penstock.store import StoreHealth


def check_store(location: str) -> Iterator[Diagnosis]:
    """Yield diagnoses of the store at `location`, a URL or an absolute path."""
    path = location.removeprefix("sqlite:///")
    is_file = "://" not in path
    if is_file and not os.path.exists(path):
        yield Diagnosis("good", "store", f"none yet at {path}; the first run creates it")
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
            yield from _told(store.health(), shown)
    except StoreError as error:
        yield Diagnosis("problem", "store", str(error), "see docs/cli.md, `doctor`")


def _told(health: StoreHealth, shown: str) -> Iterator[Diagnosis]:
    if health.damage is not None:
        yield Diagnosis(
            "problem",
            "store",
            f"{shown} is damaged: {health.damage}",
            "restore a backup (beside the store), or save what can be read: "
            "sqlite3 STORE .recover | sqlite3 NEW",
        )
        return
    yield Diagnosis(
        "good",
        "store",
        f"{shown}; ML Metadata schema {health.mlmd_version}, Penstock's {health.version}; "
        f"{health.runs} runs, {health.executions} executions",
    )
    if health.running:
        yield Diagnosis("good", "runs", f"running now: {', '.join(health.running)}")
    if health.abandoned:
        yield Diagnosis(
            "warning",
            "runs",
            f"still marked as running, but their process is gone: {', '.join(health.abandoned[:5])}",
            f"penstock resume {health.abandoned[0]}",
        )
