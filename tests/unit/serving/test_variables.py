"""The variables of a SavedModel, read without TensorFlow."""

import shutil
from pathlib import Path

import pytest

from penstock.serving import ModelError, Variable, read_variables

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "saved_model"


def test_variables_have_their_names_types_and_shapes():
    assert read_variables(str(GOLDEN)) == [
        Variable("bias", "float32", (2,), 8),
        Variable("weight", "float32", (1, 2), 8),
    ]
    assert [variable.size for variable in read_variables(str(GOLDEN))] == [2, 2]


def test_a_model_without_variables_has_none(tmp_path):
    assert read_variables(str(tmp_path)) == []


@pytest.mark.parametrize("cut", [0, 10, 60, 200])
def test_a_damaged_table_is_named(tmp_path, cut):
    shutil.copytree(GOLDEN, tmp_path / "model")
    index = tmp_path / "model/variables/variables.index"
    index.write_bytes(index.read_bytes()[:cut])
    with pytest.raises(ModelError, match=r"variables\.index is damaged"):
        read_variables(str(tmp_path / "model"))
