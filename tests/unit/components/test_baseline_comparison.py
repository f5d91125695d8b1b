"""A model beside a baseline of the user's: what is measured, what is said, and what it refuses."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest

from penstock.artifacts import ComparisonBlessing, Examples, Model
from penstock.cards.artifact_pages.page import artifact_page
from penstock.components import BaselineComparison, Pusher
from penstock.io import ExamplesWriter
from penstock.testing import ComponentFailed, check_component, run_component

pytestmark = pytest.mark.tensorflow

MODULE = '''
import numpy as np


def baseline_fn(train, test):
    """Always the most frequent class."""
    assert "kind" not in test
    values, counts = np.unique(train["kind"].astype(str), return_counts=True)
    return np.tile(counts / counts.sum(), (len(test["x"]), 1))


def negated(train, test):
    assert np.isnan(test["gap"]).any()
    return np.where(test["x"] > 0, "no", "yes")


def short(train, test):
    return [1.0]
'''
OWN = (
    MODULE
    + """

def label_fn(columns):
    return np.abs(columns["x"])


def prediction_fn(outputs):
    return outputs["scores"][:, 1]


def metric_fn(labels, predictions):
    return {"worst": np.max(np.abs(labels - predictions))}


def constant(train, test):
    return np.full(len(test["x"]), 2.0)
"""
)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    """Says yes, in its second column, for a positive `x`, and a vocabulary says what the columns are."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        row = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        yes = tf.sigmoid(4 * row["x"])
        return {"scores": tf.concat([yes, 1 - yes], axis=1), "twice": 2 * row["x"]}

    root = tmp_path_factory.mktemp("model")
    serving = root / "Format-Serving"
    tf.saved_model.save(tf.Module(), str(serving), {"serving_default": serve})
    (serving / "assets.extra").mkdir()
    (serving / "assets.extra/penstock.json").write_text(
        '{"vocabularies": {"kind": {"values": ["yes", "no"]}}}'
    )
    return Model(str(root), id=7)


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Examples:
    """Nine of ten rows of `test` are as the model says; one more has no label."""
    root = tmp_path_factory.mktemp("examples")
    kinds = {
        "train": [b"no", b"no", b"yes"],
        "test": [b"no"] * 5 + [b"yes"] * 4 + [b"no", None],
    }
    with ExamplesWriter(str(root), list(kinds)) as writer:
        for split, values in kinds.items():
            x = [[float(i - 4.5)] for i in range(len(values))]
            columns = {
                "x": pa.array(x, pa.large_list(pa.float32())),
                "gap": pa.array([None, [1], *[[2]] * (len(x) - 2)], pa.large_list(pa.int64())),
                "kind": pa.array([[v] if v else None for v in values], pa.large_list(pa.binary())),
            }
            writer.write(split, pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))
    found = Examples(str(root))
    found.splits = list(kinds)
    return found


_NUMBERS = itertools.count()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a module of a name that no other test has imported."""
    monkeypatch.syspath_prepend(tmp_path)  # as a worker has the project's root

    def write(code):
        path = tmp_path / f"kinds_{next(_NUMBERS)}.py"
        path.write_text(code)
        return path.name

    return write


@pytest.fixture
def compare(model, examples, tmp_path, written):
    def run(code=MODULE, **arguments):
        given = {"metrics": ["accuracy", "log_loss"], "label_key": "kind", **arguments}
        component = BaselineComparison(
            examples=examples, model=model, module_file=written(code), **given
        )
        return run_component(component, tmp_path / "out", project_root=tmp_path)

    return run


def test_a_model_that_is_better_is_blessed(compare):
    outputs = compare(margin=0.2)
    found = outputs["comparison"].value
    accuracy, loss = found["metrics"]
    assert (accuracy["name"], accuracy["model"], accuracy["baseline"]) == ("accuracy", 0.9, 0.6)
    assert accuracy["improvement"] == pytest.approx(0.3)
    assert (accuracy["margin"], accuracy["ok"]) == (0.2, True)
    assert (loss["margin"], loss["lower_is_better"]) == (None, True)
    assert found["rows"] == {"train": 3, "test": 10}
    assert found["description"] == "Always the most frequent class."
    assert outputs["blessing"].blessed
    page = artifact_page(outputs["comparison"]).html
    assert "Always the most frequent class." in page
    assert "as much better" in page


def test_a_model_that_is_not_is_not_pushed(compare, model, tmp_path):
    blessing = compare(margin=0.31)["blessing"]
    assert not blessing.blessed
    reason = "accuracy 0.9, baseline 0.6: 0.3 better, at least 0.31 better is needed"
    assert blessing.custom_properties["reasons"] == [reason]
    assert reason in artifact_page(blessing).html
    pusher = Pusher(model=model, blessings=[blessing], push_destination="served")
    pushed = run_component(pusher, tmp_path / "pusher", project_root=tmp_path)["pushed_model"]
    assert pushed.custom_properties["not_pushed_because"] == (
        f"The model did not pass the comparison: {reason}"
    )


def test_a_baseline_may_predict_classes_and_have_another_name(compare):
    found = compare(baseline_fn="negated", margin={"accuracy": -0.1, "log_loss": 0.0})
    accuracy, loss = found["comparison"].value["metrics"]
    assert accuracy["baseline"] == pytest.approx(0.1)
    assert loss["margin"] == 0.0
    assert found["comparison"].value["ok"] == (loss["improvement"] >= 0)


def test_functions_of_the_module_make_labels_predictions_and_metrics(compare):
    outputs = compare(
        OWN,
        baseline_fn="constant",
        metrics=["mae"],
        margin={"worst": -9},
        lower_is_better=["worst"],
    )
    mae, worst = outputs["comparison"].value["metrics"]
    assert mae["baseline"] == pytest.approx(sum(abs(abs(i - 4.5) - 2) for i in range(11)) / 11)
    assert worst["baseline"] == 3.5
    assert (worst["lower_is_better"], worst["margin"], worst["ok"]) == (True, -9, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prediction_key": "score"}, "no output 'score'. Outputs: scores, twice"),
        (
            {"baseline_fn": "short"},
            "short returned predictions of the shape (1,). Expected one for",
        ),
        ({"baseline_fn": "negate"}, "no function 'negate'. Did you mean 'negated'?"),
        ({"label_key": "king"}, "no feature 'king', which label_key names. Did you mean 'kind'?"),
        ({"margin": {"auc": 0.1}}, "The margin is about 'auc', which was not measured"),
        ({"class_names": ["yes"]}, "The model returned 2 columns. Expected one for each of the 1"),
    ],
)
def test_what_cannot_be_compared_is_said(compare, arguments, message):
    with pytest.raises(ComponentFailed) as caught:
        compare(**arguments)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ["acuracy"]}, "no metric 'acuracy'. Did you mean 'accuracy'?"),
        ({"metrics": []}, "needs a metric"),
        ({"metrics": ["mae"], "margin": {}}, "judges nothing"),
        ({"metrics": ["mae"], "eval_split": "train"}, "did not learn from"),
    ],
)
def test_mistakes_are_named_at_definition(model, examples, arguments, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        BaselineComparison(
            examples=examples, model=model, module_file="m.py", label_key="kind", **arguments
        )


def test_the_contract(model, examples, tmp_path, written):
    component = BaselineComparison(
        examples=examples,
        model=model,
        module_file=written(MODULE),
        label_key="kind",
        metrics=["accuracy"],
    )
    check_component(component, tmp_path / "work", project_root=tmp_path)


def test_a_good_comparison_lets_a_model_pass(model, tmp_path):
    (tmp_path / "COMPARISON_BLESSED").touch()
    blessing = ComparisonBlessing(str(tmp_path))
    pusher = Pusher(model=model, blessings=[blessing], push_destination="served")
    pushed = run_component(pusher, tmp_path / "out", project_root=tmp_path)["pushed_model"]
    assert pushed.custom_properties["pushed"] == 1
