"""`penstock stats` and `penstock validate`."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.cli import main
from penstock.data_validation import load_schema_text, load_stats_binary, write_schema_text


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("fare,kind\n1.5,a\n2.5,b\n,a\n")
    return str(path)


@pytest.fixture
def schema(tmp_path, csv):
    path = str(tmp_path / "schema.pbtxt")
    assert main(["validate", csv, "--accept", path]) == 0
    return path


def test_statistics_are_printed(csv, capsys):
    assert main(["stats", csv]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "3 rows"
    assert lines[3].split()[:5] == ["fare", "float", "33.3%", "2", "1.5"]
    assert main(["stats", csv, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["rows"] == 3
    assert found["features"][1]["top_values"][0] == {"value": "a", "count": 2.0}


def test_other_delimiters_are_seen(tmp_path, capsys):
    path = tmp_path / "data.csv"
    path.write_text("fare;kind\n1,5;a\n2;b\n")
    assert main(["stats", str(path)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("2 rows")
    assert told.err == f"{path}: cells are separated by ';'\n"
    assert main(["validate", str(path), "--accept", str(tmp_path / "schema.pbtxt")]) == 0
    assert {each.name for each in load_schema_text(str(tmp_path / "schema.pbtxt")).feature} == {
        "fare",
        "kind",
    }


def test_brackets_in_a_name_are_read_as_written(csv, tmp_path, capsys):
    path = tmp_path / "data [1].csv"
    path.write_text("fare\n1.5\n")
    assert main(["stats", str(path)]) == 0
    assert capsys.readouterr().out.startswith("1 rows")


def test_statistics_are_stored_and_read_again(csv, tmp_path, capsys):
    stored = str(tmp_path / "stats.pb")
    assert main(["stats", csv, "-o", stored]) == 0
    assert load_stats_binary(stored).datasets[0].num_examples == 3
    assert main(["stats", stored, "--against", csv]) == 0
    assert "0.000" in capsys.readouterr().out
    page = tmp_path / "page.html"
    assert main(["stats", stored, "--against", csv, "-o", str(page)]) == 0
    assert "differs by" in page.read_text()


def test_a_file_and_the_examples_made_of_it_have_one_schema(csv, schema, tmp_path, capsys):
    from penstock.io import CsvFiles, Output
    from penstock.io.csv.ingest import csv_rows
    from penstock.io.ingestion.write_examples import write_examples

    uri = str(tmp_path / "examples")
    write_examples({"all": csv_rows(CsvFiles([csv]))}, Output(), uri)
    again = tmp_path / "again.pbtxt"
    assert main(["validate", uri, "--schema", schema, "--accept", str(again)]) == 0
    assert again.read_text() == Path(schema).read_text()
    assert main(["validate", uri, "--accept", str(again)]) == 0
    assert again.read_text() == Path(schema).read_text()
    assert main(["validate", csv, "--schema", str(again)]) == 0
    capsys.readouterr()


def test_splits_of_artifacts(tmp_path, capsys):
    from penstock.io import ExamplesWriter

    uri = str(tmp_path / "examples")
    with ExamplesWriter(uri, ["a", "b"]) as writer:
        for split in ("a", "b"):
            writer.write(split, pa.record_batch({"x": [[1]]}))
    assert main(["stats", uri, "--split", "a"]) == 0
    assert "1 rows" in capsys.readouterr().out
    assert main(["stats", uri]) == 2
    assert "choose one with --split" in capsys.readouterr().err
    assert main(["stats", uri, "--split", "c"]) == 3


def test_data_is_validated(csv, schema, tmp_path, capsys):
    assert main(["validate", csv, "--schema", schema]) == 0
    assert "matches the schema" in capsys.readouterr().out
    narrow = load_schema_text(schema)
    del narrow.string_domain[0].value[1:]
    write_schema_text(narrow, schema)
    page, wider = tmp_path / "page.html", str(tmp_path / "wider.pbtxt")
    arguments = ["validate", csv, "--schema", schema, "-o", str(page), "--accept", wider]
    assert main(arguments) == 1
    out = capsys.readouterr().out
    assert "kind" in out
    assert "ENUM_TYPE_UNEXPECTED_STRING_VALUES" in out
    assert "Unexpected string values" in page.read_text()
    assert main(["validate", csv, "--schema", wider]) == 0
    capsys.readouterr()
    assert main(["validate", csv, "--schema", schema, "--json"]) == 1
    (entry,) = json.loads(capsys.readouterr().out)["anomalies"]
    assert (entry["feature"], entry["severity"]) == ("kind", "ERROR")


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["stats", "nowhere.csv"], 3, "There is no file nowhere.csv."),
        (["stats", "{csv}", "-o", "x.doc"], 2, "ends in .html, .pb or .pbtxt"),
        (["validate", "{csv}"], 2, "missing --schema"),
        (
            ["validate", "{csv}", "--schema", "nowhere.pbtxt"],
            3,
            "There is no schema nowhere.pbtxt.",
        ),
        (
            ["validate", "{csv}", "--schema", "{schema}", "--environment", "X"],
            2,
            "no environment 'X'",
        ),
        (["stats", "{script}"], 2, "the file name does not show what kind of data it holds"),
        (["stats", "{broken}"], 4, "broken.csv, line 3: expected 2 cells"),
        (["validate", "{broken}", "--schema", "{schema}"], 4, "broken.csv, line 3"),
        (["stats", "{schema}"], 4, "not a DatasetFeatureStatisticsList text proto"),
        (["validate", "{csv}", "--schema", "{csv}"], 4, "data.csv: not a Schema text proto"),
        (["stats", "{parquet}"], 4, "*.parquet: Feature 'x' has values of type"),
    ],
)
def test_what_is_wrong_is_said(csv, schema, arguments, code, text, capsys, tmp_path):
    (tmp_path / "script.sh").write_text("")
    (tmp_path / "broken.csv").write_text("fare,kind\n1.5,a\n2.5\n")
    for name, values in (("a", [1]), ("b", ["1"])):
        pq.write_table(pa.table({"x": values}), tmp_path / f"{name}.parquet")
    known = {"csv": csv, "schema": schema, "script": str(tmp_path / "script.sh")}
    known |= {"broken": str(tmp_path / "broken.csv"), "parquet": str(tmp_path / "*.parquet")}
    assert main([argument.format(**known) for argument in arguments]) == code
    err = capsys.readouterr().err
    assert text in err
    assert "Traceback" not in err
