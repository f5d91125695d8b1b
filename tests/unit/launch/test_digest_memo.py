import os
import time

from penstock.launch.digest_memo import DigestMemo


class Counter:
    def __init__(self):
        self.calls = 0

    def __call__(self, path):
        self.calls += 1
        with open(path) as file:
            return file.read()


def aged(path, text):
    path.write_text(text)
    old = time.time() - 3600
    os.utime(path, (old, old))
    return str(path)


def test_an_unchanged_file_is_computed_once_also_after_a_restart(tmp_path):
    file, counter = aged(tmp_path / "x", "1"), Counter()
    memo = DigestMemo(str(tmp_path / "home" / "memo.json"))
    assert [memo.value("k", file, counter) for _ in range(3)] == ["1"] * 3
    memo.save()
    assert DigestMemo(str(tmp_path / "home" / "memo.json")).value("k", file, counter) == "1"
    assert counter.calls == 1


def test_a_changed_file_is_computed_again(tmp_path):
    file, counter, memo = aged(tmp_path / "x", "1"), Counter(), DigestMemo()
    memo.value("k", file, counter)
    aged(tmp_path / "x", "2")
    os.utime(file, (5, 5))
    assert memo.value("k", file, counter) == "2"


def test_a_file_that_was_just_written_is_not_remembered(tmp_path):
    (tmp_path / "x").write_text("1")
    counter, memo = Counter(), DigestMemo()
    memo.value("k", str(tmp_path / "x"), counter)
    memo.value("k", str(tmp_path / "x"), counter)
    assert counter.calls == 2


def test_kinds_do_not_mix(tmp_path):
    file, memo = aged(tmp_path / "x", "1"), DigestMemo()
    assert memo.value("a", file, lambda path: "first") == "first"
    assert memo.value("b", file, lambda path: "second") == "second"


def test_a_broken_memory_is_no_error(tmp_path):
    (tmp_path / "memo.json").write_text("{")
    file = aged(tmp_path / "x", "1")
    assert DigestMemo(str(tmp_path / "memo.json")).value("k", file, Counter()) == "1"


def test_a_memory_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    memo = DigestMemo(str(tmp_path / "file" / "memo.json"))
    memo.value("k", aged(tmp_path / "x", "1"), Counter())
    memo.save()
