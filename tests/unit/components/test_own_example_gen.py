import json

import pytest

from penstock.components.example_gen import FileBasedExampleGen
from penstock.io import BrokenRow, Rows, read_quarantine, read_record_batches, split_files
from penstock.testing import ComponentFailed, run_component
from penstock.testing.contract import check_component


class JsonLinesExampleGen(FileBasedExampleGen):
    """Reads a JSON object a line; the example of docs/ingestion.md."""

    def read_rows(self, files, on_broken=None):
        import pyarrow as pa

        for path in files:
            objects = []
            with open(path, "rb") as file:
                for number, line in enumerate(file, start=1):
                    try:
                        objects.append(json.loads(line))
                    except ValueError as error:
                        broken = BrokenRow(path, str(error), line, line=number)
                        if on_broken is None:
                            raise ValueError(str(broken)) from error
                        on_broken(broken)
            yield from Rows.of_batches([pa.RecordBatch.from_pylist(objects)])


@pytest.fixture
def folder(tmp_path):
    def make(text):
        (tmp_path / "in").mkdir()
        (tmp_path / "in/rows.jsonl").write_text(text)
        return str(tmp_path / "in")

    return make


SOUND = "".join(json.dumps({"n": n, "s": f"v{n}"}) + "\n" for n in range(30))


def test_the_contract(folder, tmp_path):
    check_component(JsonLinesExampleGen(input_base=folder(SOUND)), tmp_path / "work")


def test_broken_rows(folder, tmp_path):
    base = folder(SOUND + '{"n": 5,\n')
    with pytest.raises(ComponentFailed, match=r"rows\.jsonl, line 31: Expecting property name"):
        run_component(JsonLinesExampleGen(input_base=base), tmp_path / "one")
    component = JsonLinesExampleGen(input_base=base, on_error="skip")
    examples = run_component(component, tmp_path / "two")["examples"]
    files = [file for split in examples.splits for file in split_files(examples.uri, split)]
    assert sum(batch.num_rows for batch in read_record_batches(files)) == 30
    assert [row["line"] for row in read_quarantine(examples.uri)] == [31]
