"""Evaluators without a model, on Beam, and with the functions that TFX's modules define."""

import logging
import pickle

import pyarrow as pa
import pytest

from penstock.artifacts import Examples, Model
from penstock.components import Evaluator
from penstock.evaluation import read_metrics
from penstock.io import ExamplesWriter
from penstock.testing import ComponentFailed, run_component

CONFIG = {
    "model_specs": [{"label_key": "y", "prediction_key": "p"}],
    "slicing_specs": [{}, {"feature_keys": ["kind"]}],
    "metrics_specs": [{"metrics": [{"class_name": "AUC"}, {"class_name": "ExampleCount"}]}],
}


@pytest.fixture
def examples(tmp_path):
    """Rows with a label, a prediction and a feature to slice by."""
    uri = str(tmp_path / "examples")
    columns = {
        "y": pa.array([[0], [1], [1], [0]] * 5, pa.large_list(pa.int64())),
        "p": pa.array([[0.2], [0.7], [0.4], [0.6]] * 5, pa.large_list(pa.float32())),
        "kind": pa.array([[b"a"], [b"b"]] * 10, pa.large_list(pa.binary())),
    }
    with ExamplesWriter(uri, ["eval"]) as writer:
        writer.write("eval", pa.RecordBatch.from_pydict(columns))
    artifact = Examples(uri)
    artifact.splits = ["eval"]
    return artifact


def metrics_of(outputs):
    found = read_metrics(outputs["evaluation"].uri)
    return {key: {k.name: value for k, value in values.items()} for key, values in found}


def test_predictions_may_be_columns(examples, tmp_path):
    outputs = run_component(Evaluator(examples=examples, eval_config=CONFIG), tmp_path)
    assert metrics_of(outputs)[()] == {"auc": pytest.approx(0.75), "example_count": 20.0}
    assert outputs["blessing"].custom_properties["current_model"] == ""


def test_without_a_model_the_columns_are_named(examples):
    config = {**CONFIG, "model_specs": [{"label_key": "y"}]}
    with pytest.raises(ValueError, match=r"name the column in\s+ModelSpec.prediction_key"):
        Evaluator(examples=examples, eval_config=config)
    with pytest.raises(ValueError, match="baseline_model is given without model"):
        Evaluator(examples=examples, baseline_model=Model("there"), eval_config=CONFIG)


def test_a_runner_gives_the_same(examples, tmp_path):
    here = run_component(Evaluator(examples=examples, eval_config=CONFIG), tmp_path / "here")
    on_beam = Evaluator(examples=examples, eval_config=CONFIG)
    on_beam = on_beam.with_beam_pipeline_args(["--runner=FnApiRunner"])
    there = run_component(on_beam, tmp_path / "there")
    assert metrics_of(here) == metrics_of(there)


class Halves:
    """An estimator, as far as one is asked."""

    classes_ = (0, 1)

    def predict_proba(self, table):
        return [[1 - p, p] for p in table[:, 0]]


def test_tfx_functions_for_a_pickled_estimator_are_not_needed(
    examples, tmp_path, caplog, monkeypatch
):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "evaluator_hooks.py").write_text("def custom_eval_shared_model(): ...\n")
    folder = tmp_path / "model" / "Format-Serving"
    folder.mkdir(parents=True)
    content = {"model": Halves(), "feature_keys": ["p"], "label_key": "y"}
    (folder / "model.pkl").write_bytes(pickle.dumps(content))
    config = {**CONFIG, "model_specs": [{"label_key": "y", "prediction_key": "logistic"}]}
    evaluator = Evaluator(
        examples=examples,
        model=Model(str(tmp_path / "model")),
        eval_config=config,
        module_file="evaluator_hooks.py",
    )
    with caplog.at_level(logging.INFO):
        outputs = run_component(evaluator, tmp_path / "out", project_root=tmp_path)
    assert metrics_of(outputs)[()]["auc"] == pytest.approx(0.75)
    assert "It is loaded without them." in caplog.text
    (folder / "model.pkl").unlink()
    with pytest.raises(ComponentFailed, match="needed for a pickled estimator only"):
        run_component(evaluator, tmp_path / "out", project_root=tmp_path)
