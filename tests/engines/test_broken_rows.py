"""Broken rows on Beam: the same rows, and the same quarantine, as the local driver's."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.components import CsvExampleGen, ImportExampleGen, ParquetExampleGen
from penstock.components.example_gen import FileBasedExampleGen
from penstock.io import TFRecordWriter, read_record_batches, serialize_examples, split_files
from penstock.io.ingestion.broken_rows import BrokenRow, read_quarantine
from penstock.io.ingestion.config import Input, Split
from penstock.io.ingestion.write_examples import Rows
from penstock.testing import ComponentFailed, run_component

SPLITS = Input([Split("train", "train/*"), Split("eval", "eval/*")])


def write_csv(folder: Path) -> None:
    """Sound files, ragged rows, a wrong encoding, a lost quote, and a file that ends too early."""
    sound = b"n,s\n" + b"".join(b"%d,a\n" % n for n in range(400))
    for split in ("train", "eval"):
        (folder / split).mkdir(parents=True)
        (folder / split / "1.csv").write_bytes(sound)
    (folder / "train" / "2.csv").write_bytes(b'n,s\n1\n2,b\n3,\xff\n4,"c\nd"\n5,6,7\n')
    (folder / "train" / "3.csv").write_bytes(b"n,s\n1\n2\n")
    # A float: the column's type must come from what is sound in all files.
    (folder / "eval" / "2.csv").write_bytes(b'n,s\n0.5,e\n7,"f\n')
    packed = gzip.compress(sound, mtime=0)
    (folder / "eval" / "3.csv.gz").write_bytes(packed[: len(packed) // 2])


def write_records(folder: Path) -> None:
    """A wrong checksum, records that are no tf.Examples, and a file that ends too early."""
    records = serialize_examples(pa.record_batch({"n": [[n] for n in range(400)]})).to_pylist()
    for split in ("train", "eval"):
        (folder / split).mkdir(parents=True)
        with TFRecordWriter(str(folder / split / "1"), "") as writer:
            writer.write_all(records)
    content = bytearray((folder / "eval" / "1").read_bytes())
    content[13] ^= 1
    (folder / "eval" / "2").write_bytes(content)
    with TFRecordWriter(str(folder / "eval" / "3"), "") as writer:
        writer.write_all([b"\xff\xff", *records[:5], b"\x0f", *records[5:9]])
    packed = gzip.compress(bytes((folder / "train" / "1").read_bytes()), mtime=0)
    (folder / "train" / "2.gz").write_bytes(packed[: len(packed) // 2])


def write_parquet(folder: Path) -> None:
    """A file of another schema, one that is no Parquet, and a page with a wrong checksum."""
    rows = pa.table({"n": list(range(400)), "s": ["a"] * 400})
    for split in ("train", "eval"):
        (folder / split).mkdir(parents=True)
        pq.write_table(rows, folder / split / "2.parquet")
    (folder / "train" / "1.parquet").write_bytes(b"PAR1 and nothing else")
    pq.write_table(pa.table({"n": ["x"] * 3}), folder / "train" / "3.parquet")
    damaged = folder / "eval" / "1.parquet"
    pq.write_table(
        rows, damaged, write_page_checksum=True, compression="none", use_dictionary=False
    )
    content = bytearray(damaged.read_bytes())
    content[200] ^= 1
    damaged.write_bytes(content)


class NumbersExampleGen(FileBasedExampleGen):
    """One's own, of a number a line."""

    def read_rows(self, files, on_broken=None):
        for path in files:
            lines = Path(path).read_text().splitlines()
            for number, line in enumerate(lines, start=1):
                if not line.isdigit():
                    on_broken(BrokenRow(path, "no number", line.encode(), line=number))
            numbers = [[int(line)] for line in lines if line.isdigit()]
            yield from Rows.of_batches([pa.record_batch({"n": numbers})])


def write_numbers(folder: Path) -> None:
    for split in ("train", "eval"):
        (folder / split).mkdir(parents=True)
        (folder / split / "1.txt").write_text("1\n2\nthree\n4\n")
        (folder / split / "2.txt").write_text("five\n6\n")


def quarantined(uri: str) -> dict[str, bytes]:
    folder = Path(uri, "quarantine")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rows(examples, split: str, file_format: str) -> list[str]:
    files = split_files(examples.uri, split)
    return sorted(
        str(row)
        for batch in read_record_batches(files, file_format=file_format)
        for row in batch.to_pylist()
    )


@pytest.mark.parametrize(
    ("gen", "write", "file_format", "broken"),
    [
        (CsvExampleGen, write_csv, "tfrecords_gzip", 7),
        (CsvExampleGen, write_csv, "parquet", 7),
        (ImportExampleGen, write_records, "tfrecords_gzip", 4),
        (ImportExampleGen, write_records, "parquet", 4),
        (ParquetExampleGen, write_parquet, "tfrecords_gzip", 404),
        (NumbersExampleGen, write_numbers, "tfrecords_gzip", 4),
    ],
)
def test_broken_rows_are_quarantined_as_they_are_locally(
    gen, write, file_format, broken, engine, tmp_path
):
    if gen is NumbersExampleGen and len(engine) > 1:
        pytest.skip("the workers cannot import this test's module; test_user_code.py has one")
    write(tmp_path / "in")
    found = {}
    for name, args in (("local", ()), ("beam", engine)):
        component = gen(
            input_base=str(tmp_path / "in"),
            input_config=SPLITS,
            output_file_format=file_format,
            on_error="skip",
        )
        component = component.with_beam_pipeline_args(args)
        found[name] = run_component(component, tmp_path / name, project_root=tmp_path)["examples"]
    local, beam = found["local"], found["beam"]
    assert quarantined(beam.uri) == quarantined(local.uri)
    assert sum(entry["rows"] for entry in read_quarantine(beam.uri)) == broken
    counts = [json.loads(Path(each.uri, "row_counts.json").read_text()) for each in (local, beam)]
    assert counts[1] == counts[0]
    assert counts[1]["quarantine/"] == broken
    for split in ("train", "eval"):
        assert rows(beam, split, file_format) == rows(local, split, file_format)
        assert len(rows(beam, split, file_format)) == counts[1][split]


def test_bundles_that_are_run_again_quarantine_once(tmp_path):
    write_csv(tmp_path / "in")
    args = ("--runner=FnApiRunner", "--direct_runner_bundle_repeat=2")
    component = CsvExampleGen(
        input_base=str(tmp_path / "in"), input_config=SPLITS, on_error="skip"
    ).with_beam_pipeline_args(args)
    examples = run_component(component, tmp_path / "out", project_root=tmp_path)["examples"]
    assert len(read_quarantine(examples.uri)) == 7


def test_sound_files_leave_no_quarantine(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("n\n" + "1\n2\n3\n" * 9)
    component = CsvExampleGen(input_base=str(tmp_path / "in"), on_error="skip")
    component = component.with_beam_pipeline_args(["--runner=FnApiRunner"])
    examples = run_component(component, tmp_path / "out", project_root=tmp_path)["examples"]
    assert not Path(examples.uri, "quarantine").exists()
    assert json.loads(Path(examples.uri, "row_counts.json").read_text())["quarantine/"] == 0


def test_only_broken_files_are_an_error_that_counts_them(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.parquet").write_bytes(b"nothing")
    component = ParquetExampleGen(input_base=str(tmp_path / "in"), on_error="skip")
    component = component.with_beam_pipeline_args(["--runner=FnApiRunner"])
    with pytest.raises(ComponentFailed, match="There were no rows to write to .* 1 were broken"):
        run_component(component, tmp_path / "out", project_root=tmp_path)
