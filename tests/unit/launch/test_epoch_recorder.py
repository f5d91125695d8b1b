from __future__ import annotations

import time

import pytest

from penstock.launch.epoch_recorder import EpochRecorder
from penstock.store import MetadataStore, RunRecord, StoreError


@pytest.fixture
def store(tmp_path):
    with MetadataStore.open(tmp_path / "metadata.db") as store:
        store.create_run(RunRecord("r", "p", time.time()))
        yield store


@pytest.fixture
def execution(store) -> int:
    return store.register_execution(run_id="r", node_id="n", type_name="test.N")


def numbers(store, execution: int) -> list[int]:
    return [each.epoch for each in store.execution_epochs(execution)]


def test_the_first_is_written_at_once_and_the_others_wait_for_each_other(store, execution) -> None:
    written = []
    record = store.record_epochs

    def count(*given, **more):
        written.append(given)
        record(*given, **more)

    store.record_epochs = count
    recorder = EpochRecorder(store, seconds=1000)
    for epoch in range(1, 6):
        recorder.add(execution, epoch, {"loss": 1 / epoch})
        time.sleep(0.004)
    assert numbers(store, execution) == [1]
    recorder.end(execution)
    assert numbers(store, execution) == [1, 2, 3, 4, 5]
    assert len(written) == 2
    times = [each.reported for each in store.execution_epochs(execution)]
    assert times == sorted(times)
    assert times[-1] - times[1] >= 0.009  # when they were reported, not when they were written
    recorder.end(execution)
    assert len(written) == 2


def test_what_waits_is_written_without_a_further_report(store, execution) -> None:
    recorder = EpochRecorder(store, seconds=0.05)
    recorder.add(execution, 1, {})
    recorder.add(execution, 2, {})
    deadline = time.monotonic() + 20
    while numbers(store, execution) != [1, 2] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert numbers(store, execution) == [1, 2]


def test_rows_are_bounded_and_the_first_and_the_last_are_kept(store, execution) -> None:
    recorder = EpochRecorder(store, most=10, seconds=0.0)
    for epoch in range(1, 26):
        recorder.add(execution, epoch, {"loss": float(epoch)})
    assert numbers(store, execution) == [1, 5, 9, 13, 17, 21, 25]
    recorder.add(execution, 26, {"loss": 0.0})
    assert numbers(store, execution) == [1, 5, 9, 13, 17, 21, 25, 26]
    recorder.add(execution, 27, {"loss": 0.0})
    assert numbers(store, execution) == [1, 5, 9, 13, 17, 21, 25, 27]


def test_where_the_store_fails_training_goes_on_and_epochs_wait(store, execution) -> None:
    record = store.record_epochs

    def fail(*given, **more):
        raise StoreError("no space")

    store.record_epochs = fail
    recorder = EpochRecorder(store, seconds=0.0)
    recorder.add(execution, 1, {"loss": 1.0})
    store.record_epochs = record
    recorder.add(execution, 2, {"loss": 1.0})
    assert numbers(store, execution) == [1, 2]
