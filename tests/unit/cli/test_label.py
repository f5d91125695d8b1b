"""`penstock label`: what it says, and what it refuses."""

import json

import numpy as np
import pytest

from penstock.cli import main
from penstock.server.request_log.log_files import LogFiles
from penstock.server.request_log.records import Answered, records_of


@pytest.fixture
def requests(tmp_path):
    files = LogFiles(tmp_path / "requests")
    for number in range(3):
        miles = np.full((1, 1), number, np.float32)
        files.write(
            records_of(
                Answered(f"r{number}", "taxi", 3, "", 1.0, {"miles": miles}, {"fare": miles})
            )
        )
    files.close()
    return str(tmp_path / "requests")


def test_labels_are_joined_and_counted(requests, tmp_path, capsys):
    labels = tmp_path / "tips.csv"
    labels.write_text("request_id,tip\nr1,2.5\nr9,1.0\n")
    output = str(tmp_path / "out")

    assert main(["label", requests, str(labels), "-o", output]) == 0

    told = capsys.readouterr()
    assert told.out == f"1 row with labels in {output}\n"
    assert told.err == "2 logged rows without a label, left out\n1 label of no logged row\n"
    assert (
        main(["label", requests, str(labels), "-o", output + "2", "--features-only", "--json"]) == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["unlabeled"], found["unused"]) == (1, 2, 1)


def test_what_cannot_be_joined_is_said_in_a_line(requests, tmp_path, capsys):
    def said(*words, code):
        assert main(["label", *words]) == code
        return capsys.readouterr().err

    labels = tmp_path / "tips.csv"
    labels.write_text("id,tip\nr1,2.5\n")
    output = str(tmp_path / "out")
    assert "no column request_id. Columns: id, tip" in said(
        requests, str(labels), "-o", output, code=4
    )
    assert "There are no logged requests in" in said(
        str(tmp_path), str(labels), "-o", output, code=3
    )
    missing = str(tmp_path / "missing.csv")
    assert f"there is no file {missing}." in said(requests, missing, "-o", output, code=3)
