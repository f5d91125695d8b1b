import sys
from pathlib import Path

import pytest

from penstock.artifacts import Examples
from penstock.testing import check_component

sys.path.insert(0, str(Path(__file__).parents[1] / "dsl"))
from example_components import Gen, count


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x").write_text("1")
    return tmp_path


def test_a_good_component_keeps_the_contract(data):
    outputs = check_component(Gen(path="data", rows=3), data / "work", project_root=data)
    assert Path(outputs["examples"].uri, "rows").read_text() == "xxx"


def test_a_good_function_keeps_the_contract(data):
    examples = Examples(str(data / "data"))
    assert check_component(count(examples=examples), data / "work")["result"].value == 3


class Random(Gen):
    """Writes something else each time."""

    def run(self, context):
        import os

        (Path(self.examples.uri) / "x").write_bytes(os.urandom(8))


def test_a_component_that_is_not_reproducible_is_found_out(data):
    with pytest.raises(AssertionError, match="two runs with one seed wrote different 'examples'"):
        check_component(Random(path="data"), data / "work", project_root=data)
