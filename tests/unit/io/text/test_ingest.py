"""Texts from folders by class and from lines; encodings, broken texts, and what keeps them together."""

import gzip
import pickle

import pytest

from penstock.components import TextExampleGen
from penstock.io import Input, Output, Split, SplitConfig, read_record_batches, split_files
from penstock.io.ingestion.broken_rows import read_quarantine
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component


def write(folder, **files):
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / f"{path.name}.txt").write_bytes(content)
    return str(folder)


def rows_of(examples):
    found = []
    for split in examples.splits:
        for batch in read_record_batches(split_files(examples.uri, split)):
            found += [
                {name: value[0] for name, value in row.items()} | {"split": split}
                for row in batch.to_pylist()
            ]
    return found


@pytest.fixture
def reviews(tmp_path):
    texts = {f"good__{i}": f"fine {i}\nindeed".encode() for i in range(6)}
    return write(tmp_path / "in", **texts, bad__1="misérable".encode(), bad__empty=b"")


def test_the_contract(reviews, tmp_path):
    check_component(TextExampleGen(input_base=reviews), tmp_path / "work")


def test_a_file_is_a_text_and_its_folder_the_class(reviews, tmp_path):
    examples = run_component(TextExampleGen(input_base=reviews), tmp_path / "out")["examples"]
    rows = rows_of(examples)
    assert {row["split"] for row in rows} == {"train", "eval"}
    by_name = {row["file_name"]: row for row in rows}
    assert len(by_name) == 8
    assert by_name[b"good/3.txt"]["text"] == b"fine 3\nindeed"
    assert by_name[b"good/3.txt"]["label"] == b"good"
    assert by_name[b"bad/1.txt"]["text"].decode() == "misérable"
    assert by_name[b"bad/empty.txt"]["text"] == b""
    assert "line" not in by_name[b"bad/1.txt"]


def test_lines_are_texts_that_stay_together_by_their_number(tmp_path):
    lines = {f"l{k}": "".join(f"text {i} of {k}\r\n" for i in range(40)).encode() for k in range(3)}
    lines["l0"] = lines["l0"].replace(b"text 5 of 0\r\n", b"  \r\n")
    component = TextExampleGen(
        input_base=write(tmp_path / "in", **lines),
        lines=True,
        label_from="file",
        output_config=Output(
            SplitConfig(
                [Split("train", hash_buckets=2), Split("test", hash_buckets=1)],
                partition_feature_name="line",
            )
        ),
    )
    rows = rows_of(run_component(component, tmp_path / "out")["examples"])
    assert len(rows) == 3 * 40 - 1
    places = {}
    for row in rows:
        number = row["line"] - 1
        assert row["text"].decode() == f"text {number} of {row['label'].decode()[1:]}"
        places.setdefault(number, set()).add(row["split"])
    assert all(len(splits) == 1 for splits in places.values())
    assert len({split for splits in places.values() for split in splits}) == 2


def test_files_in_other_encodings_become_utf_8(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    with gzip.open(folder / "old.txt.gz", "wb") as file:
        file.write("größer\nMaß\n".encode("latin-1"))
    component = TextExampleGen(
        input_base=str(folder), lines=True, label_from="file", encoding="latin-1"
    )
    rows = rows_of(run_component(component, tmp_path / "out")["examples"])
    assert {row["text"].decode() for row in rows} == {"größer", "Maß"}
    assert {row["label"] for row in rows} == {b"old"}
    whole = TextExampleGen(
        input_base=write(tmp_path / "wide", a="\ufeffja".encode("utf-16-le")),
        label_from=None,
        encoding="utf-16-le",
    )
    (row,) = rows_of(run_component(whole, tmp_path / "whole")["examples"])
    assert row["text"] == b"ja"
    assert "label" not in row


def test_a_broken_text_is_named_or_left_out(tmp_path):
    folder = write(tmp_path / "in", a=b"good\nb\xe4d\nfine\n")
    arguments = {"input_base": folder, "lines": True, "label_from": "file"}
    with pytest.raises(ComponentFailed, match=r"a\.txt, line 2: byte 1 is not utf-8"):
        run_component(TextExampleGen(**arguments), tmp_path / "raise")
    outputs = run_component(TextExampleGen(**arguments, on_error="skip"), tmp_path / "skip")
    assert {row["text"] for row in rows_of(outputs["examples"])} == {b"good", b"fine"}
    (broken,) = read_quarantine(outputs["examples"].uri)
    assert (broken["line"], broken["raw"]) == (2, b"b\xe4d")


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="label_from='column'"):
        TextExampleGen(input_base="in", label_from="column")
    with pytest.raises(ValueError, match="encoding='utf-9'"):
        TextExampleGen(input_base="in", encoding="utf-9")
    with pytest.raises(ValueError, match="iconv -f utf-16 -t utf-8"):
        TextExampleGen(input_base="in", lines=True, encoding="utf-16")


def test_what_other_processes_do_can_be_sent_to_them(reviews):
    component = TextExampleGen(input_base=reviews, input_config=Input([Split("all", "*/*")]))
    to_rows, blocks = component.read_rows([f"{reviews}/bad/1.txt"]).read()
    rows = pickle.loads(pickle.dumps(to_rows))(next(iter(blocks)))
    assert rows.batch["label"].to_pylist() == [[b"bad"]]
