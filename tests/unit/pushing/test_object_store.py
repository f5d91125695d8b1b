"""Pushes to object stores: fsspec's memory, and a store on the disk that survives a kill."""

import os
import signal
import subprocess
import sys
import threading

import fsspec
import pytest

from penstock.artifacts.location import list_files, remove
from penstock.pushing import (
    ModelError,
    fetch_version,
    list_versions,
    push_model,
    read_aliases,
    read_manifest,
    set_alias,
    sweep_staging,
    verify_manifest,
)
from penstock.pushing.object_store import remove_killed_pushes

_STORE = """
import fsspec
from fsspec.implementations.local import LocalFileSystem

class OnDisk(LocalFileSystem):
    '''Like an object store: there are no folders to be made.'''

    protocol = "ondisk"

    def __init__(self, **options):
        super().__init__(auto_mkdir=True, **options)

    @classmethod
    def _strip_protocol(cls, path):
        return LocalFileSystem._strip_protocol(path.removeprefix("ondisk://"))

fsspec.register_implementation("ondisk", OnDisk, clobber=True)
"""
_PUSH_AND_DIE = (
    _STORE
    + """
import os, signal, sys
from penstock.pushing import push_model
calls, limit = 0, int(sys.argv[3])

def counted(function):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

for name in ("put_file", "pipe_file", "rm"):
    setattr(OnDisk, name, counted(getattr(OnDisk, name)))
push_model(sys.argv[1], sys.argv[2], versioning="next")
"""
)


@pytest.fixture
def on_disk(tmp_path):
    exec(_STORE, {"__name__": "store"})
    return f"ondisk://{tmp_path}/bucket"


def test_the_manifest_is_last_and_the_version_is_there(model, memory):
    pushed = push_model(model, memory, versioning="next", lineage={"run": "r1"})
    assert pushed.path == f"{memory}/1"
    assert list_versions(memory) == [1]
    assert verify_manifest(pushed.path).lineage == {"run": "r1"}
    files = [name for name, _ in list_files(f"{memory}/1")]
    assert "penstock_push.json" not in files
    assert "variables/variables.index" in files


def test_a_version_without_its_manifest_is_not_there_yet(model, memory):
    push_model(model, memory, versioning="next")
    push_model(model, memory, versioning="next")
    remove(f"{memory}/2/penstock_manifest.json")
    assert list_versions(memory) == [1]
    assert push_model(model, memory, versioning="next").version == 3


def test_aliases_work_there(model, memory):
    push_model(model, memory, versioning="next")
    set_alias(memory, "champion", 1)
    assert read_aliases(memory) == {"champion": 1}


def test_pushes_at_the_same_time_get_versions_of_their_own(model, memory):
    found: list[int] = []

    def push():
        found.append(push_model(model, memory, versioning="next").version)

    threads = [threading.Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 4
    assert list_versions(memory) == sorted(found)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
def test_a_push_that_is_killed_loses_nothing_and_is_swept(model, on_disk, tmp_path, limit):
    push_model(model, on_disk, versioning="next")
    command = [sys.executable, "-c", _PUSH_AND_DIE, model, on_disk, str(limit)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    for version in (there := list_versions(on_disk)):
        verify_manifest(f"{on_disk}/{version}")
    assert 1 in there
    # The killed push's claim is not void yet: it might still be at work.
    assert remove_killed_pushes(on_disk) == []
    for claim in (tmp_path / "bucket").glob("*/penstock_push.json"):
        claim.write_text('{"format": 1, "until": 0}')
    push_model(model, on_disk, versioning="next")
    left = {name.partition("/")[0] for name, _ in list_files(on_disk)}
    assert left == {str(version) for version in list_versions(on_disk)}
    assert not list((tmp_path / "bucket").glob("*/penstock_push.json"))


def test_what_tfx_pushed_there_is_not_taken_for_a_killed_push(model, memory):
    system, path = fsspec.core.url_to_fs(memory)
    system.pipe_file(f"{path}/7/saved_model.pb", b"graph")
    assert push_model(model, memory, versioning="next").version == 8
    assert system.exists(f"{path}/7/saved_model.pb")


def test_an_upload_that_fails_leaves_nothing(model, memory, monkeypatch):
    system = fsspec.filesystem("memory")
    put_file = system.put_file

    def cut(path, target, **options):
        put_file(path, target, **options)
        if path.endswith("variables.index"):
            system.pipe_file(target, b"cut")

    monkeypatch.setattr(type(system), "put_file", staticmethod(cut))
    with pytest.raises(ModelError, match="has 3 bytes after the upload, and should have 254"):
        push_model(model, memory)
    assert list_files(memory) == []


def test_a_version_is_fetched_once_and_verified(model, memory, tmp_path, monkeypatch):
    push_model(model, memory, versioning="next")
    cache = tmp_path / "cache"
    folder = fetch_version(memory, cache=cache)
    assert verify_manifest(folder).version == 1
    monkeypatch.setattr(
        type(fsspec.filesystem("memory")), "get_file", lambda *_: pytest.fail("fetched again")
    )
    assert fetch_version(memory, 1, cache=cache) == folder
    assert fetch_version(str(cache / os.path.basename(os.path.dirname(folder)))) == folder
    with pytest.raises(ValueError, match=r"has no version 2. Versions: \[1\]"):
        fetch_version(memory, 2, cache=cache)


def test_what_is_damaged_on_the_way_is_not_used(model, memory, tmp_path):
    push_model(model, memory, versioning="next")
    system, path = fsspec.core.url_to_fs(memory)
    system.pipe_file(f"{path}/1/variables/variables.index", b"x" * 254)
    with pytest.raises(ModelError, match="variables.index has another content"):
        fetch_version(memory, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").rglob("saved_model.pb")) == []


def test_a_version_that_was_replaced_is_fetched_again(model, memory, tmp_path):
    push_model(model, memory, versioning="next", lineage={"run": "r1"})
    fetch_version(memory, cache=tmp_path)
    fsspec.filesystem("memory").rm(memory.removeprefix("memory:/"), recursive=True)
    push_model(model, memory, versioning="next", lineage={"run": "r2"})
    assert read_manifest(fetch_version(memory, cache=tmp_path)).lineage == {"run": "r2"}


def test_a_url_has_no_staging_folders(memory):
    assert sweep_staging(memory) == []


def test_a_version_that_was_pushed_since_it_was_looked_up_is_not_taken_again(
    model, memory, monkeypatch
):
    push_model(model, memory, versioning="next")
    monkeypatch.setattr("penstock.pushing.object_store.version_names", lambda _: [])
    assert push_model(model, memory, versioning="next").version == 2
    assert read_manifest(f"{memory}/1").version == 1
    assert "penstock_push.json" not in dict(list_files(f"{memory}/1"))
