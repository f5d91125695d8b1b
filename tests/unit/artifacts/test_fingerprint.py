import os
import shutil

import pytest

from penstock.artifacts.fingerprint import fingerprint


def write(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_it_depends_on_paths_and_content_alone(tmp_path):
    files = {"a/x": b"1", "b": b"22", "a/y/z": b""}
    write(tmp_path / "one", files)
    write(tmp_path / "two" / "deeper", dict(reversed(files.items())))
    first = fingerprint(str(tmp_path / "one"))
    os.utime(tmp_path / "one" / "b", (1, 1))
    assert fingerprint(str(tmp_path / "one")) == first
    assert fingerprint(str(tmp_path / "two" / "deeper")) == first
    assert first[1] == 3


@pytest.mark.parametrize("change", ["content", "name", "file_more", "file_less"])
def test_any_change_shows(tmp_path, change):
    write(tmp_path, {"a": b"1", "b": b"2"})
    before = fingerprint(str(tmp_path))
    if change == "content":
        (tmp_path / "a").write_bytes(b"3")
    elif change == "name":
        (tmp_path / "a").rename(tmp_path / "c")
    elif change == "file_more":
        (tmp_path / "c").write_bytes(b"")
    else:
        (tmp_path / "a").unlink()
    assert fingerprint(str(tmp_path))[0] != before[0]


def test_content_moved_between_files_shows(tmp_path):
    write(tmp_path / "one", {"a": b"xy", "b": b""})
    write(tmp_path / "two", {"a": b"x", "b": b"y"})
    assert fingerprint(str(tmp_path / "one"))[0] != fingerprint(str(tmp_path / "two"))[0]


def test_a_value_file_keeps_its_fingerprint_when_moved(tmp_path):
    write(tmp_path, {"1/value": b"5"})
    before = fingerprint(str(tmp_path / "1" / "value"))
    shutil.move(tmp_path / "1", tmp_path / "2")
    assert fingerprint(str(tmp_path / "2" / "value")) == before


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fingerprint(str(tmp_path / "nowhere"))


def test_it_reads_through_fsspec(tmp_path):
    import fsspec

    write(tmp_path, {"a/x": b"1", "b": b"22"})
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path), "/root", recursive=True)
    try:
        assert fingerprint("memory://root") == fingerprint(str(tmp_path))
    finally:
        memory.rm("/root", recursive=True)
