import pytest

from penstock.components import CsvExampleGen, FilterRows
from penstock.io import ExamplesSplit, read_tfrecords
from penstock.testing import run_component
from penstock.testing.contract import check_component


def over_four(batch):
    import pyarrow.compute as pc

    return pc.greater(pc.list_element(batch.column("n"), 0), 4)


@pytest.fixture
def examples(tmp_path):
    (tmp_path / "in").mkdir()
    rows = "".join(f"{n},{'' if n % 3 else 'word'}\n" for n in range(40))
    (tmp_path / "in/rows.csv").write_text("n,s\n" + rows)
    return run_component(CsvExampleGen(input_base=str(tmp_path / "in")), tmp_path / "gen")[
        "examples"
    ]


def records_of(examples):
    return {
        split.name: [record for file in split.files for record in read_tfrecords(file)]
        for split in ExamplesSplit.all_of(examples)
    }


def test_the_contract(examples, tmp_path):
    check_component(FilterRows(examples=examples, keep=over_four), tmp_path / "work")


def test_the_rows_that_are_kept_do_not_change(examples, tmp_path):
    filtered = run_component(FilterRows(examples=examples, keep=over_four), tmp_path)["filtered"]
    before, after = records_of(examples), records_of(filtered)
    for split, records in after.items():
        assert set(records) <= set(before[split])
    assert sum(map(len, after.values())) == 35


def test_what_is_no_function_is_refused(examples):
    with pytest.raises(
        ValueError, match=r"FilterRows\(keep=\.\.\.\) takes a function or its dotted name"
    ):
        FilterRows(examples=examples, keep="over four")
