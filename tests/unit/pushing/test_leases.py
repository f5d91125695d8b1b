import subprocess
import sys
import time

import fsspec
import pytest

from penstock.pushing import hold_version, is_held, lease_file, leases

_HOLD = """
import sys
from penstock.pushing import hold_version
lease = hold_version(sys.argv[1], 7)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def local(tmp_path) -> str:
    (tmp_path / "7").mkdir()
    return str(tmp_path)


@pytest.fixture
def bucket(memory) -> str:
    fsspec.core.url_to_fs(memory)[0].pipe_file(f"{memory}/7/penstock_manifest.json", b"{}")
    return memory


@pytest.fixture(params=["local", "bucket"])
def destination(request) -> str:
    return request.getfixturevalue(request.param)


def test_a_version_is_held_until_all_have_released_it(destination):
    assert not is_held(destination, 7)
    with hold_version(destination, 7):
        second = hold_version(destination, 7)
        assert is_held(destination, 7)
    assert is_held(destination, 7)
    second.release()
    second.release()
    assert not is_held(destination, 7)


def test_what_is_not_there_cannot_be_held(destination):
    with pytest.raises(FileNotFoundError, match="has no version 8"):
        hold_version(destination, 8)
    assert not is_held(destination, 8)


def test_a_process_that_is_killed_holds_nothing(local):
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, local],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        assert is_held(local, 7)
        holder.kill()
    assert not is_held(local, 7)


def test_a_lease_that_is_no_longer_renewed_is_void(bucket, monkeypatch):
    monkeypatch.setattr(lease_file, "VALID_SECONDS", -1.0)
    lease = hold_version(bucket, 7)
    assert not is_held(bucket, 7)
    monkeypatch.undo()
    with hold_version(bucket, 7):
        assert is_held(bucket, 7)
    lease.release()


def test_a_lease_is_renewed_while_it_is_held(bucket, monkeypatch):
    monkeypatch.setattr(lease_file, "RENEWED_SECONDS", 0.01)
    with hold_version(bucket, 7):
        system, path = fsspec.core.url_to_fs(bucket)
        (file,) = system.ls(f"{path}/penstock_leases", detail=False)
        first = system.cat_file(file)
        for _ in range(500):
            if system.cat_file(file) != first:
                break
            time.sleep(0.01)
        else:
            pytest.fail("it was not renewed")


def test_who_may_only_read_serves_with_a_warning(bucket, monkeypatch, caplog):
    def refuse(*_, **__):
        raise PermissionError(13, "read only")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "pipe_file", refuse)
    with caplog.at_level("WARNING"), hold_version(bucket, 7):
        assert not is_held(bucket, 7)
    assert "No lease on a version in use" in caplog.text


def test_a_removal_waits_for_nobody_and_lets_nobody_in_between(local):
    with leases.unused(local, 7) as free:
        assert free
        assert is_held(local, 7)
    with hold_version(local, 7):
        with leases.unused(local, 7) as free:
            assert not free
