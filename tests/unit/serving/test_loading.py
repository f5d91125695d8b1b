"""Models that TensorFlow cannot load, said in words."""

import pickle
import re
import shutil
from pathlib import Path

import pytest

from penstock.serving import ModelError, inspect_saved_model, load_model

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def edited(model, tmp_path):
    """Return a copy of the model, its graph edited."""

    def edit(change) -> str:
        from tensorflow.core.protobuf import saved_model_pb2

        copy = tmp_path / "copy"
        shutil.copytree(model, copy)
        file = copy / "saved_model.pb"
        saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
        change(saved.meta_graphs[0])
        file.write_bytes(saved.SerializeToString())
        return str(copy)

    return edit


def with_operation(version):
    def change(graph):
        graph.meta_info_def.tensorflow_version = version
        for function in graph.graph_def.library.function:
            for node in function.node_def:
                if node.op == "Mul":
                    node.op = "MulBetter"

    return change


def test_who_saved_it(model):
    import tensorflow as tf

    assert inspect_saved_model(model).tensorflow_version == tf.__version__


@pytest.mark.parametrize(
    ("version", "todo"),
    [
        ("2.99.0", r"Load it with TensorFlow 2\.99\.0, or save it again with 2\.\d+\.\d+\."),
        (
            "2.0.0",
            r"If a package such as tensorflow_text defines the operation, import it before you",
        ),
    ],
)
def test_an_operation_that_is_not_known(edited, version, todo):
    path = edited(with_operation(version))
    words = (
        rf"The model at {re.escape(path)} has the operation 'MulBetter', which TensorFlow [\d.]+ does not know. "
        rf"It was saved by TensorFlow {version}. {todo}"
    )
    with pytest.raises(ModelError, match=words):
        load_model(path)


def test_a_graph_for_a_newer_tensorflow(edited):
    from penstock.server.servables.saved_model import SavedModel

    def change(graph):
        graph.graph_def.versions.min_consumer = 99_999
        graph.meta_info_def.tensorflow_version = "3.1.0"

    with pytest.raises(
        ModelError,
        match=r"is for a newer TensorFlow than .* It was saved by TensorFlow 3.1.0. Load it with",
    ):
        SavedModel(edited(change))


def test_without_its_variables(model, tmp_path):
    shutil.copytree(model, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "variables")
    with pytest.raises(
        ModelError, match=r"has 1 variable, but the folder variables/ with their values is missing"
    ):
        load_model(tmp_path / "copy")


def test_values_that_are_cut_short(model, tmp_path):
    shutil.copytree(model, tmp_path / "copy")
    (data,) = Path(tmp_path, "copy", "variables").glob("*.data-*")
    whole = data.read_bytes()
    data.write_bytes(whole[:-1])
    with pytest.raises(
        ModelError,
        match=rf"is cut short: it has {len(whole) - 1} bytes, and the variables need {len(whole)}. Copy",
    ):
        load_model(tmp_path / "copy")


def test_a_graph_that_is_cut_short(model, tmp_path):
    shutil.copytree(model, tmp_path / "copy")
    file = tmp_path / "copy" / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match="is damaged or not a SavedModel"):
        load_model(tmp_path / "copy")


def test_a_pickle_whose_class_is_gone(tmp_path, monkeypatch):
    import sys
    import types

    module = types.ModuleType("code_of_yesterday")
    module.Model = type("Model", (), {"__module__": "code_of_yesterday"})
    monkeypatch.setitem(sys.modules, "code_of_yesterday", module)
    content = {"model": module.Model(), "feature_keys": ["x"]}
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(content))
    del module.Model
    with pytest.raises(
        ModelError, match="needs a class or function that is not there: .*'Model'.*code_of_y"
    ):
        load_model(tmp_path)
