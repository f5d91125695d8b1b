"""Models whose graphs are joined for long inputs: the same values, the same errors."""

import numpy as np
import pytest
from tests.unit.evaluation.test_row_work import assert_identical, values

from penstock.evaluation import evaluate, row_work
from penstock.evaluation.models import joint_prediction
from penstock.io import TFRecordWriter

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def joined(monkeypatch):
    """Take any input as long, and tell how often the joined graph was used."""
    used = []
    asked = joint_prediction.JointPredictor._of

    def counted(self, serialized):
        used.append(len(serialized))
        return asked(self, serialized)

    monkeypatch.setattr(joint_prediction.JointPredictor, "_of", counted)

    def join(size):
        monkeypatch.setattr(row_work, "_BYTES_WORTH_JOINING", size)
        used.clear()
        return used

    return join


@pytest.fixture
def config(by_class):
    made = by_class(
        {"class_name": "AUC"},
        {"class_name": "ExampleCount"},
        {"class_name": "CalibrationPlot"},
        slicing_specs=[{}, {"feature_keys": ["kind"]}, {"feature_keys": ["sign", "size"]}],
    )
    made["model_specs"] = [
        {"label_key": "positive", "prediction_key": "positive", "example_weight_key": "weight"}
    ]
    return made


@pytest.mark.parametrize("several", [False, True])
def test_the_values_are_those_of_models_that_are_asked_one_by_one(
    files, model, make_model, config, joined, several
):
    if several:
        first = config["model_specs"][0]
        config["model_specs"] = [
            {**first, "name": "candidate"},
            {**first, "name": "baseline", "is_baseline": True},
        ]
    given = {"model": model, "eval_config": config, "batch_size": 25}
    if several:
        given["baseline"] = make_model(0.5)
    used = joined(1 << 40)
    one_by_one = values(evaluate(files, **given))
    assert not used
    used = joined(0)
    together = values(evaluate(files, **given))
    assert sum(used) == 25 + 120  # the first rows are compared, too
    assert_identical(one_by_one, together)


def test_a_graph_that_says_something_else_is_not_used(files, model, config, joined, monkeypatch):
    joined(1 << 40)
    expected = values(evaluate(files, model=model, eval_config=config))
    joined(0)
    asked = joint_prediction.JointPredictor._of

    def wrong(self, serialized):
        found = asked(self, serialized)
        found.outputs[""]["positive"] = np.zeros_like(found.outputs[""]["positive"])
        return found

    monkeypatch.setattr(joint_prediction.JointPredictor, "_of", wrong)
    assert_identical(expected, values(evaluate(files, model=model, eval_config=config)))


def test_a_row_that_the_model_does_not_take_is_explained(files, model, config, joined, tmp_path):
    joined(0)
    bad = str(tmp_path / "bad.gz")
    with TFRecordWriter(bad, "GZIP") as writer:
        writer.write_all([b"no example"] * 3)
    with pytest.raises(ValueError, match=r"rows 120 to 122"):
        evaluate([*files, bad], model=model, eval_config=config)
