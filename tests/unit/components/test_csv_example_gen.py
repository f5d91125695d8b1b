from pathlib import Path

import pytest

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
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component

GOLDEN = Path(__file__).resolve().parents[4] / "shared/golden/penguin/pipeline_root/CsvExampleGen"
LABELLED = GOLDEN.parents[3] / "data/penguin/labelled"
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


@pytest.mark.skipif(not GOLDEN.exists(), reason="the golden artifacts are absent")
def test_rows_are_those_of_tfx(tmp_path):
    examples = run(CsvExampleGen(input_base=str(LABELLED)), tmp_path)
    for split in ("train", "eval"):
        (golden,) = read_record_batches(split_files(str(GOLDEN / "examples/1"), split))
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
        ("a,a\n1,2\n", "come more than once"),
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
