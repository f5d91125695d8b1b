"""The metrics of a comparison have scikit-learn's values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from penstock.baseline_comparison import ComparedMetric, compared, measure, metric_names, summary
from penstock.baseline_comparison.classes import Classes
from penstock.baseline_comparison.metric_directions import is_known

sklearn_metrics = pytest.importorskip("sklearn.metrics")


@pytest.fixture(params=[2, 4])
def scored(request):
    random = np.random.default_rng(request.param)
    places = random.integers(0, request.param, 200)
    scores = random.dirichlet(np.ones(request.param), 200)
    scores[::3] = np.round(scores[::3], 1)  # ties
    return places, scores / scores.sum(axis=1, keepdims=True)


def test_metrics_of_classes(scored):
    places, scores = scored
    chosen, several = scores.argmax(axis=1), scores.shape[1] > 2
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(places, chosen),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(places, chosen),
        "f1": sklearn_metrics.f1_score(places, chosen, average="macro" if several else "binary"),
        "log_loss": -np.mean(np.log(np.clip(scores, 1e-7, 1)[range(200), places])),
    }
    if several:
        rest = [(places == each, scores[:, each]) for each in range(scores.shape[1])]
    else:
        rest = [(places == 1, scores[:, 1])]
    roc, precision = sklearn_metrics.roc_auc_score, sklearn_metrics.average_precision_score
    expected["auc"] = np.mean([roc(*each) for each in rest])
    expected["average_precision"] = np.mean([precision(*each) for each in rest])
    for name, value in expected.items():
        assert measure(name, places, scores) == pytest.approx(value, rel=1e-5), name


def test_metrics_of_values():
    random = np.random.default_rng(1)
    right, said = random.poisson(3, (50, 2)), random.random((50, 2)) * 5 + 0.1
    flat = right.ravel(), said.ravel()
    expected = {
        "mae": sklearn_metrics.mean_absolute_error(*flat),
        "rmse": sklearn_metrics.root_mean_squared_error(*flat),
        "r2": sklearn_metrics.r2_score(*flat),
        "mape": sklearn_metrics.mean_absolute_percentage_error(*flat),
        "poisson_deviance": sklearn_metrics.mean_poisson_deviance(*flat),
    }
    for name, value in expected.items():
        assert measure(name, right, said) == pytest.approx(value), name
    with pytest.raises(ValueError, match="same shape"):
        measure("mae", right, said[:, :1])


def test_metrics_of_rankings():
    items = np.array([[b"a", b"b", b"c"], [b"b", b"a", b"c"]], dtype=object)
    assert measure("recall_at_1", np.array([b"a", b"a"], dtype=object), items) == 0.5
    assert measure("hit_rate_at_2", np.array(["a", "c"], dtype=object), items) == 0.5
    assert measure("ndcg_at_3", np.array(["a", "a"], dtype=object), items) == pytest.approx(
        (1 + 1 / math.log2(3)) / 2
    )
    several = np.empty(2, dtype=object)
    several[:] = [["a", "c"], ["a", "z"]]
    assert measure("recall_at_2", several, items) == 0.5
    ideal = 1 + 1 / math.log2(3)
    assert measure("ndcg_at_3", several[:1], items[:1]) == pytest.approx(1.5 / ideal)
    with pytest.raises(ValueError, match="needs 4 items for each row. Received 3"):
        measure("recall_at_4", several, items)


def test_names():
    assert all(is_known(name.replace("K", "5")) for name in metric_names())
    assert not is_known("recall_at_0")
    with pytest.raises(ValueError, match="no metric 'acuracy'"):
        measure("acuracy", [1], [1])
    assert math.isnan(measure("accuracy", [], np.zeros((0, 2))))


def test_scores_come_into_the_order_of_the_classes():
    classes = Classes.of(np.array([b"b", b"a"], dtype=object), ["c", "a", "b"])
    assert classes.values == ("a", "b", "c")
    model = classes.scores(np.array([[0.1, 0.2, 0.7]]), ["c", "a", "b"], "The model")
    assert model.tolist() == [[0.2, 0.7, 0.1]]
    predicted = classes.scores(np.array([b"b"], dtype=object), (), "baseline_fn")
    assert predicted.tolist() == [[0, 1, 0]]
    with pytest.raises(
        ValueError, match="baseline_fn predicted 'x', which is no class. Classes: a, b, c"
    ):
        classes.scores(np.array(["x"], dtype=object), (), "baseline_fn")
    with pytest.raises(
        ValueError, match="baseline_fn returned 2 columns. Expected one for each of the 3"
    ):
        classes.scores(np.zeros((1, 2)), (), "baseline_fn")


def test_numbers_as_classes():
    digits = Classes.of(np.array([0, 2.0, 7]))
    assert digits.values == (0, 2, 7)
    ten = np.eye(10)[[7]]
    assert digits.scores(ten, (), "The model").tolist() == [[0, 0, 1]]
    assert digits.indices(np.array([7, 3])).tolist() == [2, -1]
    binary = Classes.of(np.array([0, 1, 1]))
    assert binary.scores(np.array([[0.25]]), (), "The model").tolist() == [[0.75, 0.25]]


def test_a_row_of_an_unknown_class_is_never_right():
    assert measure("accuracy", [0, -1], [[1, 0], [1, 0]]) == 0.5
    assert measure("log_loss", [-1], [[0.5, 0.5]]) == pytest.approx(-math.log(1e-7))


def test_margins_are_about_being_better_in_either_direction():
    (accuracy,) = compared({"accuracy": 0.9}, {"accuracy": 0.8}, {"accuracy": 0.05})
    assert accuracy.ok
    assert accuracy.improvement == pytest.approx(0.1)
    error, own = compared(
        {"mae": 2.0, "own": 1.0}, {"mae": 1.5, "own": 3.0}, {"mae": -0.4, "own": 1.0}, ["own"]
    )
    assert (error.improvement, error.ok) == (-0.5, False)
    assert (own.improvement, own.ok) == (2.0, True)
    assert summary([own, error]) == (
        "mae 2, baseline 1.5: 0.5 worse, at most 0.4 worse is allowed; "
        "own 1, baseline 3: 2 better, at least 1 better is needed"
    )
    assert not ComparedMetric("auc", float("nan"), 0.5, False, 0.0).ok
    with pytest.raises(ValueError, match="'recall', which was not measured. Measured: mae"):
        compared({"mae": 1}, {"mae": 1}, {"recall": 0})
