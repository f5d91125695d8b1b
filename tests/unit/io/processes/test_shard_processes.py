"""Work on shards in helper processes."""

import functools
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from penstock.io.processes.shard_processes import (
    ShardProcessError,
    kept_processes,
    map_shards,
    usable_processes,
)
from penstock.io.tfrecord.records import TFRecordError, TFRecordWriter, read_tfrecords


def _process_of(number: int) -> tuple[int, int]:
    time.sleep(0.05)
    return number, os.getpid()


def _count(path: str) -> int:
    return sum(1 for _ in read_tfrecords(path))


def _unpicklable(number: int) -> object:
    return lambda: number


class _RefusesToBePickled(int):
    def __reduce__(self) -> str:
        raise ValueError(f"{self} stays here")


def _print_and_return(number: int) -> int:
    print("a line on standard output")
    return number


def _die_in(caller: int, number: int) -> int:
    if os.getpid() != caller:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.5)
    return number


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes this module importable where the work is done, under its own name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setitem(sys.modules, "test_shard_processes", sys.modules[__name__])
    for function in (_process_of, _count, _unpicklable, _print_and_return, _die_in):
        monkeypatch.setattr(function, "__module__", "test_shard_processes")


def test_results_come_in_order_from_several_processes() -> None:
    results = list(map_shards(_process_of, range(40), processes=2))
    assert [number for number, _ in results] == list(range(40))
    assert len({process for _, process in results}) == 2


def test_one_process_is_the_calling_one() -> None:
    results = list(map_shards(_process_of, [3, 1], processes=1))
    assert results == [(3, os.getpid()), (1, os.getpid())]


def test_never_more_processes_than_shards_or_cores() -> None:
    assert usable_processes(0) == 1
    assert usable_processes(1) == 1
    assert usable_processes(10_000) <= (os.cpu_count() or 1)


def test_a_function_that_cannot_be_pickled_is_called_here() -> None:
    assert list(map_shards(lambda number: number + 1, [1, 2, 3], processes=2)) == [2, 3, 4]


def test_a_function_that_helpers_cannot_load_is_called_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p != str(Path(__file__).parent)])
    results = list(map_shards(_process_of, range(20), processes=2))
    assert results == [(number, os.getpid()) for number in range(20)]


def test_results_that_cannot_be_pickled_are_made_here() -> None:
    results = list(map_shards(_unpicklable, range(20), processes=2))
    assert [result() for result in results] == list(range(20))  # type: ignore[operator]


def test_shards_that_refuse_to_be_pickled_are_worked_on_here() -> None:
    shards = [_RefusesToBePickled(number) for number in range(20)]
    results = list(map_shards(_process_of, shards, processes=2))
    assert results == [(number, os.getpid()) for number in range(20)]


def test_what_is_printed_does_not_get_between_the_answers() -> None:
    assert list(map_shards(_print_and_return, range(20), processes=2)) == list(range(20))


def test_an_error_names_the_shard_that_it_came_from(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{number}.gz") for number in range(12)]
    for path in paths:
        with TFRecordWriter(path) as writer:
            writer.write_all([b"one", b"two"])
    Path(paths[7]).write_bytes(Path(paths[7]).read_bytes()[:-9])
    results = map_shards(_count, paths, processes=2)
    assert [next(results) for _ in range(7)] == [2] * 7
    with pytest.raises(TFRecordError, match=r"7\.gz: .*ends in the middle"):
        next(results)


def test_a_helper_that_dies_is_an_error() -> None:
    die = functools.partial(_die_in, os.getpid())
    with pytest.raises(ShardProcessError, match="exit status -9"):
        list(map_shards(die, range(20), processes=2))


def test_no_helper_outlives_a_caller_that_stops_early() -> None:
    results = map_shards(_process_of, range(100), processes=2)
    seen = set()
    while len(seen) < 2:
        seen.add(next(results)[1])
    (helper,) = seen - {os.getpid()}
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(helper, 0)


def test_processes_are_kept_within_a_block_and_end_with_it() -> None:
    with kept_processes():
        seen = [
            {process for _, process in map_shards(_process_of, range(40), processes=2)}
            for _ in range(2)
        ]
        assert seen[0] == seen[1]
        list(map_shards(_print_and_return, range(8), processes=2))
    (helper,) = seen[0] - {os.getpid()}
    with pytest.raises(ProcessLookupError):
        os.kill(helper, 0)


def test_a_kept_process_that_died_stops_nothing() -> None:
    with kept_processes():
        first = {process for _, process in map_shards(_process_of, range(40), processes=2)}
        (helper,) = first - {os.getpid()}
        os.kill(helper, signal.SIGKILL)
        results = list(map_shards(_process_of, range(20), processes=2))
    assert [number for number, _ in results] == list(range(20))


def test_threads_keep_processes_of_their_own() -> None:
    both_keep, one_ended = threading.Barrier(2), threading.Event()
    helpers: dict[str, list[set[int]]] = {"first": [], "last": []}

    def work(name: str) -> None:
        with kept_processes():
            for after in (both_keep.wait, one_ended.wait if name == "last" else lambda: None):
                found = {process for _, process in map_shards(_process_of, range(40), processes=2)}
                helpers[name].append(found - {os.getpid()})
                after()
        one_ended.set()

    threads = [threading.Thread(target=work, args=(name,)) for name in helpers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert helpers["first"][0] == helpers["first"][1]
    assert helpers["last"][0] == helpers["last"][1]
    assert helpers["first"][0].isdisjoint(helpers["last"][0])
