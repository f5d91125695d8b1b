"""The rows with the largest errors: which they are, and what is kept of them."""

import json

import numpy as np
import pyarrow as pa
import pytest

from penstock.evaluation.config import ModelSpec
from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.results import write_evaluation
from penstock.evaluation.worst_rows import (
    WorstRows,
    WorstRowsRequest,
    read_worst_rows,
    row_errors,
)


class Inputs:
    """What an engine hands over, with the same labels for every model."""

    def __init__(self, labels, weights=None, **predictions):
        self._made = {
            name: MetricInputs(np.array(labels), np.array(values), weights)
            for name, values in predictions.items()
        }

    def get(self, view):
        return self._made[view.model_name or "model"]


def rows_of(ids, **features):
    columns = {"id": [[value] for value in ids], **features}
    return pa.RecordBatch.from_arrays(
        [pa.array(values) for values in columns.values()], list(columns)
    )


ONE_MODEL = [ModelSpec(label_key="y")]


def worst(count=2, specs=ONE_MODEL, views=(("", ""),), **more):
    return WorstRows(WorstRowsRequest(count, "id", **more), specs, views)


def test_the_largest_errors_are_kept_with_their_ids():
    kept = worst(features=["city"], hidden=frozenset())
    batch = rows_of(["a", "b", "c"], city=[[b"Ulm"], [], [b"Ulm", b"Bonn"]])
    kept.add(Inputs([1.0, 0.0, 3.5], model=[1.5, 0.1, 0.5]), batch)
    first, second = kept.rows()
    assert (first.id, first.error, first.label, first.prediction) == ("c", 3.0, 3.5, 0.5)
    assert (first.score, first.label_score, first.baseline) == (None, None, None)
    assert first.features == {"city": "Ulm, Bonn"}
    assert (second.id, second.error) == ("a", 0.5)


def test_of_classes_it_counts_what_the_right_one_lacks():
    kept = worst()
    scores = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [1.0, 0.0, 0.0]]
    kept.add(Inputs([0, 0, 2, 7], model=scores), rows_of(["a", "b", "c", "unknown"]))
    first, second = kept.rows()
    # The model has no class 7.
    assert (first.id, first.error, first.label_score) == ("unknown", 1.0, 0.0)
    assert (second.id, second.label, second.prediction) == ("b", 0.0, 1.0)
    assert (second.error, second.score, second.label_score) == pytest.approx((0.9, 0.8, 0.1))


def test_errors_of_several_labels_a_row_and_of_what_is_no_number():
    inputs = MetricInputs(np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.4], [0.2, 0.9]]))
    assert row_errors(inputs).tolist() == pytest.approx([0.4, 0.2])
    inputs = MetricInputs(np.array([1.0, 0.0]), np.array([np.nan, 0.25]))
    assert row_errors(inputs).tolist() == [np.inf, 0.25]


def test_rows_without_weight_do_not_count():
    kept = worst()
    weights = np.array([0.0, 1.0])
    kept.add(Inputs([9.0, 1.0], weights, model=[0.0, 0.5]), rows_of(["a", "b"]))
    assert [row.id for row in kept.rows()] == ["b"]


def test_they_are_the_same_whatever_the_batches_and_their_order():
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 200).astype(float)
    predictions = random.integers(0, 5, 200) / 4
    ids = [f"r{i:03}" for i in range(200)]

    def kept_of(cuts, order):
        parts = []
        for i in order:
            part = worst(7)
            rows = slice(cuts[i], cuts[i + 1])
            part.add(Inputs(labels[rows], model=predictions[rows]), rows_of(ids[rows]))
            parts.append(part)
        for part in parts[1:]:
            parts[0].merge(part)
        return parts[0].rows()

    whole = kept_of([0, 200], [0])
    assert len(whole) == 7
    assert whole == kept_of([0, 50, 60, 200], [2, 0, 1]) == kept_of([0, 3, 200], [1, 0])
    expected = sorted(zip(-np.abs(labels - predictions), ids, strict=True))[:7]
    assert [(-row.error, row.id) for row in whole] == expected


def test_the_baselines_prediction_stands_beside_the_models():
    specs = [
        ModelSpec(name="candidate", label_key="y"),
        ModelSpec(name="baseline", label_key="y", is_baseline=True),
    ]
    kept = worst(1, specs, [("candidate", ""), ("baseline", "")])
    inputs = Inputs([0.0, 0.0], candidate=[0.5, 0.75], baseline=[0.1, 0.25])
    kept.add(inputs, rows_of(["a", "b"]))
    (row,) = kept.rows()
    assert (row.id, row.model, row.prediction, row.baseline) == ("b", "candidate", 0.75, 0.25)


def test_personal_features_are_not_kept():
    kept = worst(features=["email", "y"], hidden=frozenset({"email", "y"}))
    kept.add(Inputs([1.0], model=[0.0]), rows_of(["a"], email=[[b"x@y.org"]], y=[[1.0]]))
    (row,) = kept.rows()
    assert (row.label, row.features) == (None, {})
    with pytest.raises(ValueError, match="id_key 'id' is marked as PII in the schema"):
        worst(hidden=frozenset({"id"}))


def test_what_cannot_be_is_said():
    with pytest.raises(ValueError, match="needs labels to compare"):
        worst(specs=[ModelSpec()])
    with pytest.raises(ValueError, match="'idd' is not a feature .* Did you mean 'id'"):
        WorstRowsRequest(1, "idd").check_features(["id", "x"])


@pytest.mark.tensorflow
def test_an_evaluation_keeps_them_when_asked(files, model, by_class, here, columns):
    from penstock.evaluation import evaluate

    config = by_class(
        {"class_name": "SparseCategoricalAccuracy"}, slicing_specs=[{"feature_keys": ["size"]}]
    )
    request = WorstRowsRequest(5, "x", ["size"])
    evaluation = evaluate(files, model=model, eval_config=config, worst_rows=request)
    write_evaluation(evaluation, here)
    found = read_worst_rows(here)
    assert (found["id_key"], len(found["rows"])) == ("x", 5)
    assert found["rows"][0]["features"].keys() == {"size"}
    errors = [row["error"] for row in found["rows"]]
    assert errors == sorted(errors, reverse=True)
    by_text = {f"{np.float32(values[0]):.5f}": i for i, values in enumerate(columns["x"])}
    for row in found["rows"]:
        index = by_text[f"{float(row['id']):.5f}"]
        assert row["label"] == columns["label"][index][0]
    evaluation = evaluate(files, model=model, eval_config=config)
    write_evaluation(evaluation, f"{here}/without")
    assert read_worst_rows(f"{here}/without") is None
    assert json.loads(json.dumps(found)) == found
