import multiprocessing
import os
import signal
import time

import ml_dtypes
import numpy as np
import pytest

from penstock.training.checkpoints.contents import join, split
from penstock.training.checkpoints.folder import CheckpointFolder

CONTENTS = {
    "step": 7,
    "nothing": None,
    "tuple": (1, (2.5, "a")),
    "bytes": b"\x00\xff",
    "numbers": [float("inf"), -1, True],
    "arrays": [np.arange(6.0).reshape(2, 3), np.array(3, np.int64), np.zeros((0, 2), np.float16)],
    "bfloat16": np.array([1.5, -2], ml_dtypes.bfloat16),
}


def test_contents_come_back_as_they_were():
    text, arrays = split(CONTENTS)
    found = join(text, arrays)
    for got, wanted in zip(found.pop("arrays"), CONTENTS["arrays"], strict=True):
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == wanted.dtype
    bfloat16 = found.pop("bfloat16")
    assert bfloat16.dtype == ml_dtypes.bfloat16
    assert bfloat16.tolist() == [1.5, -2]
    assert found == {key: value for key, value in CONTENTS.items() if key in found}


def test_what_a_checkpoint_cannot_hold_is_named():
    with pytest.raises(TypeError, match="Received at /callbacks/0/state: set"):
        split({"callbacks": [{"state": {1, 2}}]})
    with pytest.raises(TypeError, match=r"/a has the key 1; keys are strings"):
        split({"a": {1: 2}})


@pytest.mark.parametrize("kind", ["local", "url"])
def test_checkpoints_are_written_read_and_bounded(tmp_path, kind):
    folder = CheckpointFolder(f"{tmp_path}/here" if kind == "local" else f"memory://{tmp_path}")
    assert folder.newest() is None
    assert folder.names() == []
    for step in range(4):
        folder.write({**CONTENTS, "step": step})
    assert folder.names() == ["checkpoint-00000004", "checkpoint-00000003"]
    assert folder.newest()["step"] == 3
    again = CheckpointFolder(folder.path)
    assert again.write({"step": 4}) == "checkpoint-00000005"
    assert [each["step"] for each in again.contents()] == [4, 3]


def test_a_bit_that_was_flipped_anywhere_is_found(tmp_path):
    folder = CheckpointFolder(tmp_path)
    name = folder.write({"step": 7, "weights": [np.arange(40.0)]})
    for file in ("arrays.npz", "checkpoint.json"):
        path = tmp_path / name / file
        content = path.read_bytes()
        for at in range(0, len(content), 7):
            path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
            found = folder.newest()
            # In the JSON a space between two values may have become another one.
            assert found is None or (file == "checkpoint.json" and found["step"] == 7)
        path.write_bytes(content)
    assert folder.newest()["step"] == 7


def test_a_checkpoint_behind_a_url_is_there_once_its_description_is():
    import fsspec

    folder = CheckpointFolder("memory://checkpoints-of-a-test")
    folder.write({"step": 1})
    folder.write({"step": 2})
    fsspec.filesystem("memory").rm_file(
        "/checkpoints-of-a-test/checkpoint-00000002/checkpoint.json"
    )
    assert folder.newest()["step"] == 1


def write_without_end(path):
    folder = CheckpointFolder(path)
    step = 0
    while True:
        folder.write({"step": step, "weights": [np.full(200_000, step, np.float32)] * 2})
        step += 1


def test_a_process_killed_while_it_writes_leaves_whole_checkpoints(tmp_path):
    context = multiprocessing.get_context("fork")
    for attempt in range(12):
        path = str(tmp_path / str(attempt))
        process = context.Process(target=write_without_end, args=(path,))
        process.start()
        folder = CheckpointFolder(path)
        while not folder.names():
            time.sleep(0.001)
        time.sleep(0.001 * attempt)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        found = [folder.read(name) for name in folder.names()]
        assert 1 <= len(found) <= 3
        for contents in found:
            assert all((each == contents["step"]).all() for each in contents["weights"])
        folder.remove_unfinished()
        assert all(name.startswith("checkpoint-") for name in os.listdir(path))


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path, monkeypatch):
    folder = CheckpointFolder(tmp_path)
    folder.write({"step": 1})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        folder.write({"step": 2})
    assert os.listdir(tmp_path) == ["checkpoint-00000001"]


def test_keep_is_checked(tmp_path):
    with pytest.raises(ValueError, match="keep must be at least 1. Received: 0"):
        CheckpointFolder(tmp_path, keep=0)
