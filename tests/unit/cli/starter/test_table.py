"""Reading tables as people have them."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import pytest

from penstock.cli.errors import NotFound, UsageError
from penstock.cli.starter import table as module
from penstock.cli.starter.table import copy_table, read_table


@pytest.fixture
def table(tmp_path):
    def write(text, name="t.csv", encoding="utf-8"):
        file = tmp_path / name
        file.write_bytes(text.encode(encoding))
        return read_table(file)

    return write


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(table, delimiter):
    text = 'a;"b, c";d\n1;"x;y|z";3,5\n2;"u\tv";4,5\n'
    rows = list(csv.reader(text.splitlines(), delimiter=";"))
    lines = [delimiter.join(f'"{cell}"' for cell in row) for row in rows]
    found = table("\n".join(lines) + "\n")
    assert found.delimiter == delimiter
    assert found.names == ("a", "b, c", "d")
    assert found.columns[1] == ["x;y|z", "u\tv"]


def test_one_column_has_no_delimiter(table):
    assert table("a\n1\n2\n").delimiter == ","


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_encodings(table, encoding):
    found = table("größe,é\n1,ä\n", encoding=encoding)
    assert found.names == ("größe", "é")
    assert found.columns[1] == ["ä"]


def test_an_index_without_a_name_and_a_name_that_comes_twice(table, tmp_path):
    found = table(',a,a,a_2,\n0,1,2,"x\ny",4\n')
    assert found.names == ("index", "a", "a_3", "a_2", "column_5")
    assert found.renamed == ((1, "", "index"), (3, "a", "a_3"), (5, "", "column_5"))
    copy_table(found, tmp_path / "copy.csv")
    with (tmp_path / "copy.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [list(found.names), ["0", "1", "2", "x\ny", "4"]]


def test_a_sound_table_is_copied_as_it_is(tmp_path):
    text = b'a;"b"\r\n1;2\r\n'
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text))
    copy_table(read_table(tmp_path / "t.csv.gz"), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == text


def test_what_means_missing(table):
    found = table("a,b,c\nNA,x,None\n1,-,y\n.,NA,-\n2,z,y\n")
    assert found.na_values == ("NA", ".")
    assert found.columns[0] == ["", "1", "", "2"]
    assert found.columns[1] == ["x", "-", "", "z"], "a dash is a word where words are"
    assert found.columns[2] == ["None", "y", "-", "y"]


def test_a_large_table_is_judged_by_its_first_rows(table, monkeypatch):
    monkeypatch.setattr(module, "LOOKED_AT", 3)
    found = table("a,b\n" + "1,2\n" * 4)
    assert (found.rows, found.is_whole) == (3, False)
    assert table("a,b\n" + "1,2\n" * 3).is_whole


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"PAR1\0\0", "is a Parquet file"),
        (b"a,b\n1,2\n3\n", "line 3: expected 2 cells"),
        (b'a,b\n1,"2\n', "a quote is opened but not closed"),
    ],
)
def test_what_is_no_table(tmp_path, content, said):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(UsageError, match=said):
        read_table(tmp_path / "t.csv")


def test_no_such_file(tmp_path):
    with pytest.raises(NotFound, match="there is no file"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(UsageError, match="is a folder"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a/t.parquet", "pandas.read_parquet('a/t.parquet').to_csv('a/t.csv', index=False)"),
        ("t.XLSX", "pandas.read_excel('t.XLSX')"),
        ("https://x.org/t.csv", "https://x.org/t.csv is a URL. Download the file"),
        ("gs://bucket/t.csv", "gs://bucket/t.csv is a URL"),
    ],
)
def test_what_is_read_by_other_means(name, said):
    with pytest.raises(UsageError) as caught:
        read_table(Path(name))
    assert said in str(caught.value)
