"""The whole process killed before the N-th call that changes files or uses the database."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from fault_lab import Site, in_child

from penstock.store import MetadataStore


def run_once(site: Site, nodes, *, in_process: bool) -> None:
    """Run a pipeline, or go on with its run if the store knows it; its result must be right."""
    data = nodes.writes_file(size=3000)
    size = nodes.reads_size(artifact=data)
    number = nodes.number(value=4)
    pipeline = site.pipeline(data, size, number, nodes.add(a=size, b=number))
    runner = site.runner(in_process=in_process)
    if site.knows("r1"):
        result = runner.resume("r1", project_root=site.project)
    else:
        result = runner.run(pipeline, project_root=site.project, run_id="r1")
    assert result.artifact("add", "result").value == 3004


def count_calls(folder, nodes, *, in_process: bool) -> int:
    ended, count = in_child(lambda: run_once(Site(folder), nodes, in_process=in_process))
    assert ended is None
    return count


def die_and_recover(site: Site, nodes, number: int, *, in_process: bool) -> None:
    def work() -> None:
        run_once(site, nodes, in_process=in_process)

    ended, _ = in_child(work, die_at=number)
    assert ended == signal.SIGKILL
    in_child(work)
    site.check()


def test_at_each_call_in_one_process(tmp_path, nodes) -> None:
    """On a store that is there, so that every call is one of a run."""
    first = Site(tmp_path / "first")
    os.makedirs(tmp_path / "first")
    with MetadataStore.open(first.store):
        pass

    def fresh(name: str) -> Path:
        return Path(shutil.copytree(tmp_path / "first", tmp_path / name))

    calls = count_calls(fresh("whole"), nodes, in_process=True)
    assert calls > 60
    for number in range(1, calls + 1):
        die_and_recover(Site(fresh(str(number))), nodes, number, in_process=True)


def test_at_some_calls_that_make_the_store(tmp_path, nodes) -> None:
    for number in range(1, 100, 9):
        die_and_recover(Site(tmp_path / str(number)), nodes, number, in_process=True)


def test_at_some_calls_with_workers(tmp_path, nodes) -> None:
    calls = count_calls(tmp_path / "whole", nodes, in_process=False)
    for number in range(5, calls + 1, 1 + calls // 8):
        die_and_recover(Site(tmp_path / str(number)), nodes, number, in_process=False)


@pytest.mark.slow
def test_at_each_call_with_workers(tmp_path, nodes) -> None:
    calls = count_calls(tmp_path / "whole", nodes, in_process=False)
    for number in range(1, calls + 1):
        die_and_recover(Site(tmp_path / str(number)), nodes, number, in_process=False)


def test_dying_twice(tmp_path, nodes) -> None:
    """The second time while it takes over what the first left."""
    for number in (60, 90, 120):
        for second in range(1, 60, 7):
            site = Site(tmp_path / f"{number}-{second}")

            def work(site: Site = site) -> None:
                run_once(site, nodes, in_process=True)

            assert in_child(work, die_at=number)[0] == signal.SIGKILL
            in_child(work, die_at=second)
            in_child(work)
            site.check()


def test_the_checks_see_what_is_wrong(tmp_path, nodes) -> None:
    site = Site(tmp_path)
    run_once(site, nodes, in_process=True)
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
