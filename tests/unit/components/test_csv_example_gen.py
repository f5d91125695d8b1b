import gzip
import json
from pathlib import Path

import pytest

from penstock import Pipeline
from penstock.components import CsvExampleGen
from penstock.dsl import ParameterError
from penstock.io import (
    Input,
    Output,
    RangeConfig,
    Split,
    SplitConfig,
    StaticRange,
    read_record_batches,
    read_row_counts,
    split_files,
)
from penstock.io.ingestion.broken_rows import read_quarantine
from penstock.runners.local import LocalDagRunner
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component

GOLDEN = Path(__file__).resolve().parents[2] / "golden/penguin"
PENGUINS = Path(__file__).resolve().parents[3] / "data/penguins"
ROWS = "n,s\n" + "".join(f"{i},v{i % 3}\n" for i in range(300))


@pytest.fixture
def base(tmp_path):
    def make(**files):
        folder = tmp_path / "input"
        for name, content in files.items():
            path = folder / name.replace("__", "/").replace("_csv", ".csv")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return str(folder)

    return make


def values(examples, split, name):
    files = split_files(examples.uri, split)
    file_format = examples.custom_properties["file_format"]
    return [
        cell[0] if cell else None
        for batch in read_record_batches(files, file_format=file_format)
        for cell in batch.column(batch.schema.names.index(name)).to_pylist()
    ]


def run(component, tmp_path, **options):
    return run_component(component, tmp_path / "root", **options)["examples"]


def test_the_contract(base, tmp_path):
    check_component(CsvExampleGen(input_base=base(data_csv=ROWS)), tmp_path / "work")


def test_rows_are_divided_two_to_one(base, tmp_path):
    examples = run(CsvExampleGen(input_base=base(data_csv=ROWS)), tmp_path)
    assert examples.splits == ["train", "eval"]
    counts = read_row_counts(examples.uri)
    assert sum(counts.values()) == 300
    assert 170 < counts["train"] < 230
    both = values(examples, "train", "n") + values(examples, "eval", "n")
    assert sorted(both) == list(range(300))
    assert examples.custom_properties["payload_format"] == "FORMAT_TF_EXAMPLE"
    assert examples.custom_properties["file_format"] == "tfrecords_gzip"
    assert examples.custom_properties["span"] == 0
    assert examples.custom_properties["input_fingerprint"].startswith(
        "split:single_split,num_files:1"
    )


def test_rows_are_those_of_tfx(tmp_path):
    examples = run(CsvExampleGen(input_base=str(GOLDEN / "labelled")), tmp_path)
    theirs = str(GOLDEN / "pipeline_root/CsvExampleGen/examples/1")
    for split in ("train", "eval"):
        (golden,) = read_record_batches(split_files(theirs, split))
        for name in golden.schema.names:
            column = golden.column(golden.schema.names.index(name)).to_pylist()
            assert values(examples, split, name) == [cell[0] for cell in column]


def test_the_raw_penguins_in_three_splits(tmp_path):
    three = [Split("train", hash_buckets=3), Split("eval", hash_buckets=1), Split("test", "*", 1)]
    component = CsvExampleGen(input_base=str(PENGUINS), output_config=Output(SplitConfig(three)))
    examples = run(component, tmp_path)
    assert examples.splits == ["train", "eval", "test"]
    assert sum(read_row_counts(examples.uri).values()) == 344
    sexes = [sex for split in examples.splits for sex in values(examples, split, "sex")]
    assert (sexes.count(None), sexes.count(b"female")) == (11, 165)


def test_equal_input_gives_an_equal_fingerprint(base, tmp_path):
    component = CsvExampleGen(input_base=base(data_csv=ROWS))
    first = run(component, tmp_path)
    second = run_component(component, tmp_path / "other", execution_id=2)["examples"]
    assert first.fingerprint == second.fingerprint


def test_input_splits_spans_and_versions(base, tmp_path):
    folder = base(
        s1__v1__train_csv="a\n1\n",
        s2__v1__train_csv="a\n2\n",
        s2__v2__train_csv="a\n3\n",
        s1__v1__eval_csv="a\n4\n",
        s2__v2__eval_csv="a\n5\n",
    )
    splits = [
        Split("train", "s{SPAN}/v{VERSION}/train.csv"),
        Split("eval", "s{SPAN}/v{VERSION}/eval.csv"),
    ]
    component = CsvExampleGen(input_base=folder, input_config=Input(splits))
    examples = run(component, tmp_path)
    assert (examples.custom_properties["span"], examples.custom_properties["version"]) == (2, 2)
    assert values(examples, "train", "a") == [3]
    assert values(examples, "eval", "a") == [5]
    assert sorted(component.external_files(str)) == ["eval/s2/v2/eval.csv", "train/s2/v2/train.csv"]
    earlier = CsvExampleGen(
        input_base=folder,
        input_config=Input(splits),
        range_config=RangeConfig(static_range=StaticRange(1, 1)),
    )
    examples = run_component(earlier, tmp_path / "earlier")["examples"]
    assert values(examples, "train", "a") == [1]


def test_parquet_output(base, tmp_path):
    component = CsvExampleGen(input_base=base(data_csv=ROWS), output_file_format="parquet")
    examples = run(component, tmp_path)
    assert split_files(examples.uri, "train")[0].endswith("data_parquet-00000-of-00001.parquet")
    assert len(values(examples, "train", "n")) + len(values(examples, "eval", "n")) == 300


def test_na_values(base, tmp_path):
    component = CsvExampleGen(
        input_base=base(d_csv="a,b\n" + "1,x\nNA,x\n2,NA\n" * 9), na_values=["NA"]
    )
    examples = run(component, tmp_path)
    found = values(examples, "train", "a") + values(examples, "eval", "a")
    assert (found.count(None), found.count(1)) == (9, 9)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "d.csv: the file is empty"),
        ("a,b\n1,2\n3\n", "d.csv, line 3: expected 2 cells"),
        ("a,a\n1,2\n", "are repeated"),
    ],
)
def test_bad_files_fail_with_file_and_line(base, tmp_path, content, message):
    component = CsvExampleGen(input_base=base(d_csv=content))
    with pytest.raises(ComponentFailed) as caught:
        run(component, tmp_path)
    assert message in str(caught.value)
    assert not list((tmp_path / "root").rglob("*.gz"))


def test_a_missing_folder_fails(tmp_path):
    with pytest.raises(ComponentFailed, match="nowhere does not exist"):
        run(CsvExampleGen(input_base="nowhere"), tmp_path, project_root=tmp_path)


def test_relative_paths_start_at_the_project(base, tmp_path):
    base(d_csv=ROWS)
    examples = run(CsvExampleGen(input_base="input"), tmp_path, project_root=tmp_path)
    assert examples.splits == ["train", "eval"]


def test_definitions_are_checked():
    with pytest.raises(ParameterError, match="input_bse"):
        CsvExampleGen(input_bse="x")
    with pytest.raises(ValueError, match="Received: output_file_format='csv'"):
        CsvExampleGen(input_base="x", output_file_format="csv")
    with pytest.raises(ValueError, match="divides one input split"):
        CsvExampleGen(
            input_base="x",
            input_config=Input([Split("a"), Split("b")]),
            output_config=Output(SplitConfig([Split("c", hash_buckets=1)])),
        )


BROKEN = b'n,s\n1,a\n2\n3,\xff\n4,d\n5,"e\n6,f\n'


def test_broken_rows_are_quarantined(tmp_path):
    (tmp_path / "input").mkdir()
    (tmp_path / "input/d.csv").write_bytes(BROKEN)
    (tmp_path / "input/e.csv").write_bytes(gzip.compress(b"n,s\n" + b"7,g\n" * 9))
    (tmp_path / "input/e.csv").rename(tmp_path / "input/e.csv.gz")
    component = CsvExampleGen(input_base=str(tmp_path / "input"), on_error="skip")
    examples = run(component, tmp_path)
    assert sum(read_row_counts(examples.uri).values()) == 3 + 9
    written = json.loads(Path(examples.uri, "row_counts.json").read_text())
    assert written["quarantine/"] == 3
    found = sorted(values(examples, "train", "n") + values(examples, "eval", "n"))
    assert found == [1, 4, 6] + [7] * 9
    assert [
        (row["file"], row["line"], row.get("column"), row["raw"])
        for row in read_quarantine(examples.uri)
    ] == [
        ("d.csv", 3, None, b"2\n"),
        ("d.csv", 4, "s", b"3,\xff\n"),
        ("d.csv", 6, None, b'5,"e\n'),
    ]
    assert examples.splits == ["train", "eval"]


def test_nothing_is_quarantined_from_sound_files(base, tmp_path):
    component = CsvExampleGen(input_base=base(d_csv=ROWS), on_error="skip")
    examples = run(component, tmp_path)
    assert not Path(examples.uri, "quarantine").exists()
    assert json.loads(Path(examples.uri, "row_counts.json").read_text())["quarantine/"] == 0


def test_only_broken_rows_are_an_error(base, tmp_path):
    component = CsvExampleGen(input_base=base(d_csv="a,b\n1\n2\n"), on_error="skip")
    with pytest.raises(ComponentFailed, match=r"d\.csv: there is a header but no sound row"):
        run(component, tmp_path)


def test_the_contract_with_broken_rows_and_shards(base, tmp_path):
    component = CsvExampleGen(input_base=base(d_csv=ROWS + "x\n"), on_error="skip", num_shards=3)
    examples = check_component(component, tmp_path / "work")["examples"]
    assert len(split_files(examples.uri, "train")) == 3


def test_multivalent_columns(base, tmp_path):
    component = CsvExampleGen(
        input_base=base(d_csv="tags,n\n" + "1|2,5\n" * 9),
        multivalent_columns=["tags"],
        secondary_delimiter="|",
        output_config=Output(SplitConfig([Split("all", hash_buckets=1)])),
    )
    examples = run(component, tmp_path)
    with pytest.raises(ValueError, match="go together"):
        CsvExampleGen(input_base="x", secondary_delimiter="|")
    (batch,) = read_record_batches(split_files(examples.uri, "all"))
    assert batch.to_pylist()[0] == {"n": [5], "tags": [1, 2]}


def test_input_from_a_url(tmp_path):
    import fsspec

    files = fsspec.filesystem("memory")
    for day in (1, 2):
        files.pipe({f"/trips/{day}/a.csv": b"n\n1\n", f"/trips/{day}/b.csv": b"n\n%d\n" % day})
    component = CsvExampleGen(
        input_base="memory://trips", input_config=Input([Split("all", "{SPAN}/*.csv")])
    )
    examples = run(component, tmp_path)
    assert sorted(values(examples, "train", "n") + values(examples, "eval", "n")) == [1, 2]
    assert examples.custom_properties["span"] == 2
    assert sorted(component.external_files(str)) == ["all/2/a.csv", "all/2/b.csv"]


def test_the_pipeline_root_may_be_a_url(base, tmp_path):
    pipeline = Pipeline(
        "remote",
        pipeline_root="memory://pipeline_root",
        components=[CsvExampleGen(input_base=base(d_csv=ROWS + "x\n"), on_error="skip")],
    )
    runner = LocalDagRunner(in_process=True, store=str(tmp_path / "s.db"), progress="none")
    first = runner.run(pipeline, project_root=tmp_path)
    examples = first.artifact("CsvExampleGen", "examples")
    assert examples.uri.startswith("memory://pipeline_root/CsvExampleGen/examples/")
    assert sorted(values(examples, "train", "n") + values(examples, "eval", "n")) == list(
        range(300)
    )
    assert [row["line"] for row in read_quarantine(examples.uri)] == [302]
    assert first.nodes["CsvExampleGen"].metrics["rows/quarantined"] == 1
    again = runner.run(pipeline, project_root=tmp_path)
    assert again.nodes["CsvExampleGen"].state == "CACHED"
