"""First rows of artifacts: which, in which form, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from penstock.artifacts import Array, Examples, Model, Table, TransformGraph
from penstock.cards import NoRowsError, first_rows
from penstock.cards.row_preview import cell_text, is_numeric, plain
from penstock.io import ExamplesWriter, TFRecordWriter

PENGUIN = Path(__file__).resolve().parents[2] / "golden" / "penguin" / "pipeline_root"


def examples_of(root, payload, records, splits=("train",)):
    for split in splits:
        path = f"{root}/Split-{split}/data-00000-of-00001"
        with TFRecordWriter(path, "") as writer:
            for record in records:
                writer.write(record)
    artifact = Examples(str(root))
    artifact.file_format, artifact.payload_format = "tfrecords", payload
    artifact.splits = list(splits)
    return artifact


def test_each_split_with_its_columns():
    found = first_rows(Examples(str(PENGUIN / "CsvExampleGen/examples/1")), 2)
    assert [each.name for each in found] == ["eval", "train"]  # of the folder: none are declared
    assert "species" in found[0].columns
    assert len(found[0].rows) == 2
    (one,) = first_rows(
        Examples(str(PENGUIN / "CsvExampleGen/examples/1")), 3, split="eval", columns=["species"]
    )
    assert one.columns == ["species"]
    assert json.loads(json.dumps(one.to_json()))["rows"][0].keys() == {"species"}


@pytest.mark.parametrize("file_format", ["tfrecords_gzip", "parquet"])
def test_written_examples_in_both_file_formats(tmp_path, file_format):
    batch = pa.record_batch({"n": [[1], [], None, [2, 3]], "s": [[b"a"], [b"\xff"], [b"c"], None]})
    with ExamplesWriter(str(tmp_path), ["train"], file_format=file_format) as writer:
        writer.write("train", batch)
    artifact = Examples(str(tmp_path))
    artifact.file_format = file_format
    (found,) = first_rows(artifact, 3)
    assert found.total == 4
    assert found.columns == ["n", "s"]
    assert [row[1] for row in found.rows] == [["a"], ["\\xff"], ["c"]]
    assert [row[0] for row in found.rows][:2] == [[1], []]


def test_raw_records_are_text_with_escapes(tmp_path):
    artifact = examples_of(tmp_path, "FORMAT_PROTO", [b"\x08\x96\xffabc", b"plain"])
    (found,) = first_rows(artifact)
    assert found.columns == ["raw_record"]
    assert found.rows == [[["\x08\\x96\\xffabc"]], [["plain"]]]
    assert cell_text(found.rows[0][0]) == "\\x08\\x96\\xffabc"


def test_sequences_stand_in_columns_of_their_own(tmp_path):
    from penstock.io.examples.messages import sequence_example_class

    row = sequence_example_class()()
    row.context.feature["user"].int64_list.value.append(7)
    steps = row.feature_lists.feature_list["clicks"]
    for values in ([1, 2], [3]):
        steps.feature.add().int64_list.value.extend(values)
    artifact = examples_of(tmp_path, "FORMAT_TF_SEQUENCE_EXAMPLE", [row.SerializeToString()])
    (found,) = first_rows(artifact)
    assert found.columns == ["user", "clicks (sequence)"]
    assert found.rows == [[[7], [[1, 2], [3]]]]


def test_a_split_without_rows(tmp_path):
    (found,) = first_rows(examples_of(tmp_path, "FORMAT_TF_EXAMPLE", []))
    assert found.rows == []


def test_tables(tmp_path):
    table = Table(str(tmp_path / "t"))
    table.value = pa.table({"city": ["Oslo", None, "Rome"], "x": [1.5, float("nan"), 2.0]})
    (found,) = first_rows(table, 2)
    assert (found.total, found.columns) == (3, ["city", "x"])
    assert found.rows == [["Oslo", 1.5], [None, "NaN"]]
    table.value = pa.table({"city": pa.array([], pa.string())})
    assert first_rows(table)[0].columns == ["city"]


@pytest.mark.parametrize(
    ("value", "columns", "rows"),
    [
        (np.arange(6).reshape(3, 2), ["0", "1"], [[0, 1], [2, 3]]),
        (np.array(["a", "b", "c"]), ["value"], [["a"], ["b"]]),
        (np.zeros((3, 1, 2), np.int8), ["value"], [[[[0, 0]]], [[[0, 0]]]]),
        (np.array(3.5), ["value"], [[3.5]]),
        (np.array([(1, b"x")], [("n", "i4"), ("s", "S1")]), ["n", "s"], [[1, "x"]]),
    ],
)
def test_arrays(tmp_path, value, columns, rows):
    array = Array(str(tmp_path))
    array.value = value
    (found,) = first_rows(array, 2)
    assert (found.columns, found.rows) == (columns, rows)


def test_vocabularies(tmp_path):
    assets = tmp_path / "transform_fn" / "assets"
    assets.mkdir(parents=True)
    (assets / "city").write_bytes(b"Oslo\nRome\n\xff\n")
    with TFRecordWriter(str(assets / "kind.tfrecord.gz"), "GZIP") as writer:
        writer.write(b"a")
    city, kind = first_rows(TransformGraph(str(tmp_path)), 2)
    assert (city.name, city.total, city.rows) == ("city", 3, [[0, "Oslo"], [1, "Rome"]])
    assert (kind.name, kind.total, kind.rows) == ("kind", 1, [[0, "a"]])
    assert first_rows(TransformGraph(str(tmp_path)), split="kind")[0].name == "kind"
    with pytest.raises(KeyError, match="no vocabulary 'citty'. Did you mean 'city'"):
        first_rows(TransformGraph(str(tmp_path)), split="citty")


def test_what_is_not_there_is_answered_with_the_nearest():
    artifact = Examples(str(PENGUIN / "CsvExampleGen/examples/1"))
    with pytest.raises(KeyError, match="has no split 'trian'. Did you mean 'train'"):
        first_rows(artifact, split="trian")
    with pytest.raises(KeyError, match="no column 'specis' in eval. Did you mean 'species'"):
        first_rows(artifact, columns=["specis"])
    with pytest.raises(NoRowsError, match="Model has no rows"):
        first_rows(Model("/nowhere"))


def test_damaged_files_are_named(tmp_path):
    artifact = examples_of(tmp_path, "FORMAT_TF_EXAMPLE", [b"\xff\xff not an example"])
    with pytest.raises(ValueError, match="data-00000-of-00001"):
        first_rows(artifact)
    (tmp_path / "table.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"table\.parquet"):
        first_rows(Table(str(tmp_path)))


def test_values_as_json_and_as_cells():
    assert plain({"a": [b"x", (1, float("-inf"))]}) == {"a": ["x", [1, "-Infinity"]]}
    assert [cell_text(each) for each in ([3], ["a", "b"], [], None, 0.1 + 0.2, "a\tb")] == [
        "3", "[a, b]", "[]", "-", "0.3", "a\\tb"
    ]  # fmt: skip
    assert cell_text("x" * 100, 10) == "x" * 9 + "\N{HORIZONTAL ELLIPSIS}"
    assert is_numeric([[1], None, [], 2.5])
    assert not is_numeric([None])
    assert not is_numeric([True])
    assert not is_numeric([[1, 2]])


def test_looking_at_rows_and_pages_needs_no_tensorflow():
    code = (
        "from penstock.artifacts import *; from penstock.cards import artifact_page, first_rows;"
        f"root = {str(PENGUIN)!r}; first_rows(Examples(root + '/CsvExampleGen/examples/1'));"
        "artifact_page(ModelEvaluation(root + '/Evaluator/evaluation/8'));"
        "artifact_page(TransformGraph(root + '/Transform/transform_graph/6'));"
        f"artifact_page(Model({str(PENGUIN.parents[1] / 'saved_model')!r}));"
        "import sys; sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
