import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fsspec.registry import _registry as registry

from penstock.pushing import ModelError, list_versions, push_model, sweep_staging
from penstock.serving import inspect_saved_model


def test_a_version_is_a_copy_named_by_the_time(model, tmp_path):
    before = int(time.time())
    pushed = push_model(model, str(tmp_path / "serving"))
    assert before <= pushed.version <= time.time()
    assert pushed.path == str(tmp_path / "serving" / str(pushed.version))
    assert pushed.model.signatures == ("serving_default",)
    for file in Path(model).rglob("*"):
        copy = Path(pushed.path, file.relative_to(model))
        assert copy.is_dir() if file.is_dir() else copy.read_bytes() == file.read_bytes()
    assert os.listdir(tmp_path / "serving") == [str(pushed.version)]


def test_versions_only_rise(model, tmp_path):
    (tmp_path / "99999999999").mkdir()
    assert push_model(model, str(tmp_path)).version == 100000000000
    assert push_model(model, str(tmp_path), versioning="next").version == 100000000001


def test_next_counts_from_one(model, tmp_path):
    versions = [push_model(model, str(tmp_path), versioning="next").version for _ in range(3)]
    assert versions == [1, 2, 3] == list_versions(str(tmp_path))


def test_pushes_at_the_same_time_all_arrive(model, tmp_path):
    with ThreadPoolExecutor(8) as pool:
        pushed = list(pool.map(lambda _: push_model(model, str(tmp_path)), range(8)))
    assert len({each.version for each in pushed}) == 8
    for each in pushed:
        inspect_saved_model(each.path)


def test_a_damaged_model_is_not_pushed(model, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(model, broken)
    (broken / "variables/variables.data-00000-of-00001").unlink()
    with pytest.raises(ModelError, match="variables.data-00000-of-00001 is missing"):
        push_model(str(broken), str(tmp_path / "serving"))
    assert list_versions(str(tmp_path / "serving")) == []


_PUSH_SLOWLY = """
import os, signal, sys
from penstock.pushing import push_model
import penstock.pushing.push
calls, limit = 0, int(sys.argv[3])

def counted(function):
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == limit:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

os.rename = counted(os.rename)
os.fsync = counted(os.fsync)
push_model(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize("limit", [1, 3, 6, 7, 8, 9])
def test_a_push_that_is_killed_leaves_no_half_version(model, tmp_path, limit):
    command = [sys.executable, "-c", _PUSH_SLOWLY, model, str(tmp_path), str(limit)]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    for version in list_versions(str(tmp_path)):
        inspect_saved_model(str(tmp_path / str(version)))
    push_model(model, str(tmp_path))
    assert all(name.isdigit() for name in os.listdir(tmp_path))


def test_a_push_under_way_is_not_swept(tmp_path):
    import fcntl

    folder = tmp_path / ".staging-other"
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert sweep_staging(str(tmp_path)) == []
    finally:
        os.close(descriptor)
    assert sweep_staging(str(tmp_path)) == [".staging-other"]


def test_what_cannot_be_done_is_said(model, tmp_path, monkeypatch):
    # As where the extra is not installed.
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    monkeypatch.delitem(registry, "gs", raising=False)
    with pytest.raises(ValueError, match="Received: versioning='semver'"):
        push_model(model, str(tmp_path), versioning="semver")
    with pytest.raises(ValueError, match=r"no protocol 'gss'. Did you mean 'gs'\?"):
        push_model(model, "gss://bucket/models")
    with pytest.raises(ImportError, match=r"pip install 'penstock-ml\[gcp\]'"):
        push_model(model, "gs://bucket/models")
    with pytest.raises(ValueError, match="1 or more. Received: 0"):
        push_model(model, tmp_path, keep=0)


def test_pushing_does_not_import_tensorflow(model, tmp_path):
    code = (
        "import sys; from penstock.pushing import push_model; push_model(*sys.argv[1:]); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, model, str(tmp_path)], check=True)
    assert len(list_versions(str(tmp_path))) == 1


def test_a_model_is_not_copied_into_itself(model, tmp_path):
    source = tmp_path / "model"
    shutil.copytree(model, source)
    before = sorted(source.rglob("*"))
    (tmp_path / "link").symlink_to(source)
    for destination in (source, source / "versions", tmp_path / "link" / "versions"):
        with pytest.raises(ValueError, match="lies in the folder of the model"):
            push_model(source, destination)
    assert sorted(source.rglob("*")) == before


def test_a_destination_is_a_folder(model, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    for name in ("file", "broken"):
        with pytest.raises(ValueError, match=f"Received: .*/{name}, which is a file or a broken"):
            push_model(model, tmp_path / name)


def test_a_full_disk_is_said_and_nothing_stays(model, tmp_path, monkeypatch):
    push_model(model, tmp_path)
    before = sorted(os.listdir(tmp_path))

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        OSError, match=r"needs 0.0 MB, and there are [0-9.]+ MB free. Nothing was p"
    ):
        push_model(model, tmp_path)
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_who_may_not_write_there_is_told(model):
    code = (
        "import os, sys; from penstock.pushing import push_model; import penstock.pushing.push\n"
        "os.setuid(65534)\n"
        "try: push_model(*sys.argv[1:])\n"
        "except PermissionError as error: print(error)"
    )
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        os.chmod(folder, 0o755)
        shutil.copytree(model, f"{folder}/model")
        command = [sys.executable, "-c", code, f"{folder}/model", f"{folder}/serving"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Models cannot be pushed here: user 65534 may not write to" in said
