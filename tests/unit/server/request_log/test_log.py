"""The log on disk: complete files only, rotated, bounded, and never in the way of a request."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from penstock.io.examples.messages import example_class
from penstock.io.tfrecord.records import TFRecordWriter, read_tfrecords
from penstock.server.request_log.config import RequestLogConfig
from penstock.server.request_log.log import RequestLog
from penstock.server.request_log.log_files import LogFiles
from penstock.server.request_log.records import Answered


def _records(folder):
    return [record for path in sorted(folder.glob("requests-*")) for record in read_tfrecords(path)]


def test_files_are_hidden_until_they_are_complete(tmp_path):
    files = LogFiles(tmp_path)
    files.write([b"one", b"two"])
    assert [each.name[:6] for each in tmp_path.iterdir()] == [".open-"]
    files.close()
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("requests-")
    assert path.name.endswith(".tfrecord.gz")
    assert list(read_tfrecords(path)) == [b"one", b"two"]


def test_a_file_is_complete_when_it_is_large_or_old(tmp_path, monkeypatch):
    files = LogFiles(tmp_path, file_bytes=1000, file_seconds=60)
    for number in range(30):
        files.write([b"%0100d" % number])
    assert len(list(tmp_path.glob("requests-*"))) == 3
    files.write([b"last"])
    files.tend()
    assert len(list(tmp_path.glob("requests-*"))) == 3
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    files.tend()
    assert len(list(tmp_path.glob("requests-*"))) == 4
    assert len(_records(tmp_path)) == 31


def test_the_oldest_files_make_room(tmp_path):
    files = LogFiles(tmp_path, file_bytes=1, total_bytes=3000)
    for number in range(20):
        files.write([bytes([number]) + os.urandom(500)])
    kept = list(tmp_path.glob("requests-*"))
    assert sum(each.stat().st_size for each in kept) <= 3000
    assert [record[0] for record in _records(tmp_path)] == [15, 16, 17, 18, 19]


def test_the_file_of_a_killed_process_is_completed_without_its_torn_record(tmp_path):
    code = (
        "import os, sys\n"
        "from penstock.server.request_log.log_files import LogFiles\n"
        "files = LogFiles(sys.argv[1])\n"
        "files.write([b'one', b'two', b'three' * 100]); files.tend(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    (path,) = tmp_path.iterdir()
    os.truncate(path, path.stat().st_size - 5)

    LogFiles(tmp_path)

    assert _records(tmp_path) == [b"one", b"two"]
    assert not list(tmp_path.glob(".*"))


def test_the_file_of_a_living_process_is_left_alone(tmp_path):
    first = LogFiles(tmp_path)
    first.write([b"one"])
    second = LogFiles(tmp_path)
    second.write([b"two"])
    assert len(list(tmp_path.glob(".open-*"))) == 2
    second.close()
    first.close()
    assert sorted(_records(tmp_path)) == [b"one", b"two"]


def _answered(number, size=1):
    return Answered(
        f"r{number}", "taxi", 1, "serving_default", time.time(),
        {"miles": np.full((size, 1), number, np.float32)}, {"fare": np.ones((size, 1), np.float32)},
    )  # fmt: skip


def test_requests_are_logged_by_model_and_shadows_apart(tmp_path):
    requests = RequestLog("taxi", RequestLogConfig(str(tmp_path)))
    for number in range(50):
        requests.put(_answered(number, size=2))
    requests.put(_answered(99), shadow=True)
    requests.close()

    served = [example_class().FromString(each) for each in _records(tmp_path / "taxi" / "served")]
    ids = [each.features.feature["served.request_id"].bytes_list.value[0] for each in served]
    assert ids == [b"r%d" % (i // 2) for i in range(100)]
    assert len(_records(tmp_path / "taxi" / "shadow")) == 1
    assert (requests.written, requests.dropped) == (101, 0)
    assert requests.written_bytes > 1000


def test_what_cannot_be_written_in_time_is_dropped_and_counted(tmp_path):
    requests = RequestLog("taxi", RequestLogConfig(str(tmp_path), waiting_bytes=100))
    requests.put(_answered(1, size=1000))
    requests.put(_answered(2))
    requests.close()
    assert (requests.written, requests.dropped) == (1, 1)


def test_a_disk_that_fails_costs_records_not_the_server(tmp_path, caplog):
    requests = RequestLog("taxi", RequestLogConfig(str(tmp_path)))
    requests._files["served"].folder = tmp_path / "gone"
    requests.put(_answered(1))
    requests.put(_answered(2))
    requests.close()
    assert (requests.written, requests.dropped) == (0, 2)
    assert [each.message for each in caplog.records] == ["taxi: a request was not logged"]


def test_sampling_is_by_id(tmp_path):
    requests = RequestLog("taxi", RequestLogConfig(str(tmp_path), sample=0.5))
    wanted = [requests.wants(f"r{i}") for i in range(1000)]
    requests.close()
    assert sum(wanted) == pytest.approx(500, abs=60)


def test_masked_names_that_a_model_lacks_are_told(tmp_path, caplog):
    requests = RequestLog("taxi", RequestLogConfig(str(tmp_path), mask=("emial",)))
    requests.check_names(frozenset({"email"}))
    requests.close()
    assert "'emial' (did you mean 'email'?)" in caplog.text


def test_a_foreign_file_in_the_folder_does_no_harm(tmp_path):
    with TFRecordWriter(str(tmp_path / "other.tfrecord.gz")) as writer:
        writer.write(b"mine")
    files = LogFiles(tmp_path, file_bytes=1, total_bytes=1)
    files.write([b"one"])
    files.write([b"two"])
    assert (tmp_path / "other.tfrecord.gz").exists()
