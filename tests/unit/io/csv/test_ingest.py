"""CSV rows for ingestion: types guessed by the first rows, blocks divided among processes."""

import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.io.csv import reader as csv_reader
from penstock.io.csv import string_columns
from penstock.io.csv.ingest import csv_rows
from penstock.io.csv.reader import CsvError, CsvFiles
from penstock.io.examples.rows import Blocks, RowBlocks, Rows, rows_of_batch
from penstock.io.ingestion.config import Output, Split, SplitConfig
from penstock.io.ingestion.write_examples import write_examples
from penstock.io.processes import shard_processes

OUTPUT = Output(SplitConfig([Split("train", hash_buckets=2), Split("eval", hash_buckets=1)]))
HEAD = b"id,fare,note\n"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(string_columns, "_BLOCK_BYTES", 4 << 10)
    monkeypatch.setattr(string_columns, "_BLOCK_BYTES_A_COLUMN", 0)
    monkeypatch.setattr(csv_reader, "_GUESSED_BYTES", 8 << 10)


def _rows(count: int) -> bytes:
    return b"".join(b"%d,%d.5,row %d\n" % (row, row, row) for row in range(count))


def _content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _certain(source: CsvFiles) -> RowBlocks:
    return RowBlocks(csv_rows(source).read)


@pytest.mark.parametrize(
    ("late", "what"),
    [
        (b"1.5,2,x\n", "an integer column gets a float"),
        (b"2,none,x\n", "a float column gets a string"),
        (b'3,4,a "quoted" word\n', "a quote within a cell"),
        (b'3,4,"two\nlines"\n', "a quoted line break"),
        (b"", "nothing"),
    ],
)
@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_a_guess_ends_as_a_reading_of_all_rows_does(
    tmp_path: Path, late: bytes, what: str, file_format: str
) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(HEAD + _rows(5_000) + late + _rows(100))
    source = CsvFiles([str(path)])
    guessed, certain = tmp_path / "guessed", tmp_path / "certain"
    counts = write_examples({"all": csv_rows(source)}, OUTPUT, str(guessed), file_format)
    assert counts == write_examples({"all": _certain(source)}, OUTPUT, str(certain), file_format)
    assert _content(guessed) == _content(certain)


def test_a_column_without_an_early_value_gets_the_type_of_its_late_ones(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"id,rare\n" + b"".join(b"%d,\n" % row for row in range(9_000)) + b"7,1\n")
    source = CsvFiles([str(path)])
    write_examples({"all": csv_rows(source)}, OUTPUT, str(tmp_path / "guessed"))
    write_examples({"all": _certain(source)}, OUTPUT, str(tmp_path / "certain"))
    assert _content(tmp_path / "guessed") == _content(tmp_path / "certain")


def test_a_late_broken_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(HEAD + _rows(5_000) + b"1,2\n")
    with pytest.raises(CsvError, match=r"data\.csv, line 5002: expected 3 cells"):
        write_examples({"all": csv_rows(CsvFiles([str(path)]))}, OUTPUT, str(tmp_path / "out"))
    assert _content(tmp_path / "out") == {}


def test_a_file_without_rows_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(HEAD)
    with pytest.raises(CsvError, match="no row"):
        write_examples({"all": csv_rows(CsvFiles([str(path)]))}, OUTPUT, str(tmp_path / "out"))


def _slow_rows(batch: pa.RecordBatch) -> Rows:
    time.sleep(0.03)  # long enough for another process to start and take a part
    return rows_of_batch(batch)


@pytest.mark.parametrize("num_shards", [None, 3])
@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_the_number_of_processes_does_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str, num_shards: int | None
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setitem(sys.modules, "test_ingest", sys.modules[__name__])
    monkeypatch.setattr(_slow_rows, "__module__", "test_ingest")
    table = pa.record_batch({"id": list(range(6_000)), "name": [f"row {n}" for n in range(6_000)]})
    blocks = [table.slice(first, 150) for first in range(0, 6_000, 150)]
    for processes in (1, 3):
        monkeypatch.setattr(shard_processes, "usable_processes", lambda most, n=processes: n)
        rows = {"all": RowBlocks(lambda: Blocks(_slow_rows, iter(blocks)))}
        uri = str(tmp_path / str(processes))
        write_examples(rows, OUTPUT, uri, file_format, num_shards=num_shards)
    assert _content(tmp_path / "1") == _content(tmp_path / "3")
    assert len(_content(tmp_path / "1")) == 2 * (num_shards or 1) + 1
