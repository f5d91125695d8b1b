"""Pushes to S3 and Google Cloud Storage: their fsspec packages against emulators.

They run in processes of virtual environments that have both, made once a machine.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ...object_store_emulators import Emulator, emulator

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[3]

_PUSH = """
import json, subprocess, sys, threading
import fsspec
from penstock.pushing import (
    apply_retention, fetch_version, hold_version, is_held, list_versions, push_model, read_aliases,
    set_alias, verify_manifest,
)
from penstock.pushing.object_store import remove_version

model, cache, taxi, at_once = sys.argv[1:]
found = []

def push(times):
    for _ in range(times):
        found.append(push_model(model, taxi, versioning="next").version)

pushes = [threading.Thread(target=push, args=(4 // int(at_once),)) for _ in range(int(at_once))]
for each in pushes:
    each.start()
for each in pushes:
    each.join()
# Another process pushes: what this one remembers of listings is no longer true.
code = "import sys; from penstock.pushing import push_model; push_model(*sys.argv[1:], versioning='next')"
before = list_versions(taxi)
subprocess.run([sys.executable, "-c", code, model, taxi], check=True)
assert len(list_versions(taxi)) == len(before) + 1
remove_version(f"{taxi}/{list_versions(taxi)[-1]}")
set_alias(taxi, "champion", 1)
with hold_version(taxi, 2):
    held = is_held(taxi, 2)
    kept = apply_retention(taxi, 1)
system, path = fsspec.core.url_to_fs(taxi)
print(json.dumps({
    "pushed": sorted(found),
    "held": held,
    "removed": kept.removed,
    "left": list_versions(taxi),
    "aliases": read_aliases(taxi),
    "files": sorted(verify_manifest(fetch_version(taxi, cache=cache)).files),
    "objects": sorted({name.split("/")[2] for name in system.find(path)}),
}))
"""


def _push_there(running: Emulator, model: str, at_once: int, folder: Path) -> None:
    taxi = f"{running.url}/taxi"
    done = subprocess.run(
        [running.python, "-c", _PUSH, model, str(folder / "cache"), taxi, str(at_once)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), **running.environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    versions = found["pushed"]
    assert len(set(versions)) == 4
    assert found["held"] is True
    assert found["aliases"] == {"champion": 1}
    assert found["removed"] == versions[2:3]
    assert found["left"] == [*versions[:2], versions[3]]
    assert "variables/variables.index" in found["files"]
    assert set(found["objects"]) == {*map(str, found["left"]), "penstock_aliases.json"}


@pytest.mark.parametrize(
    # The emulator of Google's store takes no notice of conditional writes: there one after the other.
    ("scheme", "at_once"),
    [("s3", 4), ("gs", 1)],
)
def test_versions_are_pushed_held_and_removed(scheme, at_once, python_with, model, tmp_path):
    with emulator(scheme, "models", python_with, tmp_path / "server.log") as running:
        _push_there(running, model, at_once, tmp_path)
