"""Labels that come later are joined by request and row, and ingestion reads what comes out."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.io.examples.messages import example_class
from penstock.io.tfrecord.records import read_tfrecords
from penstock.server.request_log.labels import join_labels
from penstock.server.request_log.log_files import LogFiles
from penstock.server.request_log.records import Answered, records_of


@pytest.fixture(scope="module")
def requests(tmp_path_factory):
    folder = tmp_path_factory.mktemp("requests")
    files = LogFiles(folder, file_bytes=2000)
    for number in range(20):
        miles = np.full((1, 1), number, np.float32)
        answered = Answered(
            f"{number:04d}", "taxi", 3, "", 1.0, {"miles": miles}, {"fare": 2 * miles}
        )
        files.write(records_of(answered))
    files.close()
    return folder


@pytest.fixture(scope="module")
def batches(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    files = LogFiles(folder)
    miles = np.array([[0.0], [1.0], [2.0]], np.float32)
    files.write(records_of(Answered("b", "taxi", 3, "", 1.0, {"miles": miles}, {"fare": miles})))
    files.close()
    return folder


def _read(folder):
    return [
        example_class().FromString(record).features.feature
        for path in sorted(folder.glob("*"))
        for record in read_tfrecords(path)
    ]


def _csv(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return path


def test_labels_of_a_csv_file_join_by_id_even_of_digits(requests, tmp_path):
    labels = _csv(tmp_path, "request_id,tip,paid\n0003,1.5,card\n0007,0,cash\n9999,3,card\n")

    joined = join_labels(requests, labels, tmp_path / "out")

    assert (joined.rows, joined.unlabeled, joined.unused) == (2, 18, 1)
    first, second = _read(tmp_path / "out")
    assert list(first["tip"].float_list.value) == [1.5]
    assert list(first["miles"].float_list.value) == [3.0]
    assert list(first["served.output.fare"].float_list.value) == [6.0]
    assert list(second["paid"].bytes_list.value) == [b"cash"]


def test_data_for_training_has_features_and_labels_only(requests, tmp_path):
    join_labels(requests, [{"request_id": "0003", "tip": 1}], tmp_path / "out", keep_answers=False)
    (row,) = _read(tmp_path / "out")
    assert sorted(row) == ["miles", "tip"]
    assert list(row["tip"].int64_list.value) == [1]


def test_rows_of_a_request_are_labeled_one_by_one(batches, tmp_path):
    labels = pa.table({"request_id": ["b", "b"], "row": [2, 0], "tip": [2.0, 0.5]})
    path = tmp_path / "labels.parquet"
    pq.write_table(labels, path)

    joined = join_labels(batches, path, tmp_path / "out")

    assert (joined.rows, joined.unlabeled, joined.unused) == (2, 1, 0)
    found = [
        (row["miles"].float_list.value[0], row["tip"].float_list.value[0])
        for row in _read(tmp_path / "out")
    ]
    assert found == [(0.0, 0.5), (2.0, 2.0)]


def test_ingestion_reads_what_is_written(requests, tmp_path):
    from penstock.io import write_examples
    from penstock.io.ingestion.config import Output
    from penstock.io.ingestion.span_pattern import resolve_input
    from penstock.io.tfrecord.ingest import read_record_rows

    labels = [{"request_id": f"{i:04d}", "tip": i} for i in range(20)]
    join_labels(requests, labels, tmp_path / "out", keep_answers=False)

    files = resolve_input(str(tmp_path / "out")).files
    rows = {name: read_record_rows(each, "FORMAT_TF_EXAMPLE") for name, each in files.items()}
    counts = write_examples(rows, Output(), str(tmp_path / "examples"))
    assert sum(counts.values()) == 20


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([{"id": "b", "tip": 1}], "The labels have no column request_id. Columns: id, tip"),
        ([{"request_id": "b"}], "no column besides request_id: there is nothing to join"),
        ([{"request_id": "b", "tip": 1}] * 2, "The labels have the request 'b' twice"),
        ([{"request_id": "b", "row": 1, "tip": 1}] * 2, "row 1 of the request 'b' twice"),
        ([{"request_id": 3, "tip": 1}], "request_id is text and row is a whole number"),
        ([{"request_id": "b", "row": 0.5, "tip": 1}], "row is a whole number"),
        (
            [{"request_id": None, "tip": 1}, {"request_id": "b", "tip": 2}],
            "Row 0 of the labels has no",
        ),
        (
            [{"request_id": "b", "tip": 1}],
            "request 'b' has several rows. Give the labels a column row",
        ),
        (
            [{"request_id": "b", "row": 1, "miles": 1}],
            "The label 'miles' has the name of a feature",
        ),
        ([{"request_id": "b", "served.x": 1}], "cannot have a name that starts with 'served.'"),
    ],
)
def test_labels_that_do_not_fit_are_refused_in_words(batches, tmp_path, labels, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        join_labels(batches, labels, tmp_path / "out")
    assert not list(tmp_path.glob("out/*"))


def test_a_folder_without_requests_or_with_files_is_refused(requests, tmp_path):
    labels = [{"request_id": "0001", "tip": 1}]
    with pytest.raises(FileNotFoundError, match="no logged requests in"):
        join_labels(tmp_path, labels, tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(FileExistsError, match="holds files"):
        join_labels(requests, labels, tmp_path / "full")
