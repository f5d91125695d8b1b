"""The whole process killed before the N-th call that changes files or uses the database."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from fault_lab import FaultProcess, Site

from penstock.store import MetadataStore


@pytest.fixture(scope="module")
def process():
    process = FaultProcess()
    yield process
    process.close()


def count_calls(process: FaultProcess, folder: Path, *, in_process: bool) -> int:
    ended, count = process.run(Site(folder), in_process=in_process)
    assert ended is None
    return count


def die_and_recover(process: FaultProcess, folder: Path, number: int, *, in_process: bool) -> None:
    site = Site(folder)
    ended, _ = process.run(site, in_process=in_process, die_at=number)
    assert ended == signal.SIGKILL
    ended, _ = process.run(site, in_process=in_process)
    assert ended is None
    site.check()


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_at_each_call_in_one_process(tmp_path, process, step) -> None:
    """On a store that is there, so that every call is one of a run."""
    first = Site(tmp_path / "first")
    os.makedirs(tmp_path / "first")
    with MetadataStore.open(first.store):
        pass

    def fresh(name: str) -> Path:
        return Path(shutil.copytree(tmp_path / "first", tmp_path / name))

    calls = count_calls(process, fresh("whole"), in_process=True)
    assert calls > 60
    for number in range(1, calls + 1, step):
        die_and_recover(process, fresh(f"{step}-{number}"), number, in_process=True)


def test_at_some_calls_that_make_the_store(tmp_path, process) -> None:
    for number in range(1, 100, 9):
        die_and_recover(process, tmp_path / str(number), number, in_process=True)


def test_at_some_calls_with_workers(tmp_path, process) -> None:
    calls = count_calls(process, tmp_path / "whole", in_process=False)
    for number in range(5, calls + 1, 1 + calls // 8):
        die_and_recover(process, tmp_path / str(number), number, in_process=False)


@pytest.mark.slow
def test_at_each_call_with_workers(tmp_path, process) -> None:
    calls = count_calls(process, tmp_path / "whole", in_process=False)
    for number in range(1, calls + 1):
        die_and_recover(process, tmp_path / str(number), number, in_process=False)


def test_dying_twice(tmp_path, process) -> None:
    """The second time while it takes over what the first left."""
    for number in (60, 90, 120):
        for second in range(1, 60, 17):
            site = Site(tmp_path / f"{number}-{second}")
            assert process.run(site, in_process=True, die_at=number)[0] == signal.SIGKILL
            process.run(site, in_process=True, die_at=second)
            assert process.run(site, in_process=True)[0] is None
            site.check()


def test_the_checks_see_what_is_wrong(tmp_path, process) -> None:
    site = Site(tmp_path)
    process.run(site, in_process=True)
    site.check()
    folder = f"{site.root}/number/result/99"
    os.makedirs(folder)
    with pytest.raises(AssertionError, match="99"):
        site.check()
    os.rmdir(folder)
    with open(f"{site.root}/writes_file/out/1/data", "ab") as file:
        file.write(b"more")
    with pytest.raises(AssertionError, match="writes_file/out/1"):
        site.check()


@pytest.mark.parametrize("step", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_checkpoints_are_found_or_begun_anew_and_never_left(tmp_path, process, step) -> None:
    """Also where the run ends between its last transaction and the removal of the checkpoints."""
    first = Site(tmp_path / "first")
    os.makedirs(tmp_path / "first")
    with MetadataStore.open(first.store):
        pass

    def fresh(name: str) -> Site:
        return Site(Path(shutil.copytree(tmp_path / "first", tmp_path / name)))

    ended, calls = process.run(fresh("whole"), in_process=True, checkpoints=True)
    assert ended is None
    assert calls > 60
    for number in range(1, calls + 1, step):
        site = fresh(str(number))
        ended, _ = process.run(site, in_process=True, checkpoints=True, die_at=number)
        assert ended == signal.SIGKILL
        ended, _ = process.run(site, in_process=True, checkpoints=True)
        assert ended is None
        site.check()
