"""Metrics of one's own: by class, by function of rows, by Keras."""

import sys
from pathlib import Path

import numpy as np
import pytest

from penstock.evaluation import Metric, evaluate, row_metric
from penstock.evaluation.config import MetricConfig
from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import View
from penstock.evaluation.keys import SubKey
from penstock.evaluation.metrics.user_metrics import computation_of
from penstock.evaluation.slices.slicing import Membership

MODULE = sys.modules[__name__]


class FBeta(Metric):
    def __init__(self, beta: float = 1.0) -> None:
        self.beta, self.counts = beta, np.zeros(3)

    def add(self, labels, predictions, weights) -> None:
        chosen = predictions > 0.5
        found = (weights * labels * chosen).sum()
        self.counts += found, (weights * chosen).sum(), (weights * labels).sum()

    def merge(self, other) -> None:
        self.counts += other.counts

    def result(self) -> float:
        found, predicted, actual = self.counts
        return (1 + self.beta**2) * found / (self.beta**2 * actual + predicted)


class Median(Metric):
    """Keeps every row: what merges need not be a sum."""

    def __init__(self) -> None:
        self.parts: list = []

    def add(self, labels, predictions, weights) -> None:
        self.parts.append(predictions)

    def merge(self, other) -> None:
        self.parts += other.parts

    def result(self) -> float:
        return float(np.median(np.concatenate(self.parts)))


class Shapes(Median):
    def add(self, labels, predictions, weights) -> None:
        self.parts.append([labels.ndim, predictions.ndim, weights.ndim])

    def result(self):
        return np.concatenate(self.parts)


class Words(Median):
    def result(self):
        return "much"


class Broken(Median):
    def __init__(self) -> None:
        raise RuntimeError("no")


@row_metric
def within(labels, predictions, tolerance=1.0):
    errors = np.abs(labels - predictions) <= tolerance
    return np.where(labels > 100, np.nan, errors)


@row_metric
def scalar(labels, predictions):
    return 1.0


def plain(labels, predictions):
    return labels


LABELS = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
SCORES = np.array([0.9, 0.6, 0.4, 0.7, 0.1, 0.8], np.float32)
WEIGHTS = np.array([1.0, 2.0, 3.0, 1.0, 1.0, 2.0])
SECOND = Membership(np.array([0, 1, 2, 3, 4, 5, 1, 3]), np.array([0] * 6 + [1, 1]), 2)


def build(class_name, config="", module=MODULE):
    metric = MetricConfig(class_name=class_name, module="own", config=config)
    return computation_of(metric, {"own": module})


def values(class_name, config="", view=None, batches=1, labels=LABELS, scores=SCORES):
    """The metric's value in two groups: all rows, and rows 1 and 3."""
    computation = build(class_name, config)
    kernel_class, params = computation.kernel
    kernel = kernel_class(params, view or View())
    for part in np.array_split(np.arange(len(labels)), batches):
        chosen = np.isin(SECOND.rows, part)
        rows = SECOND.rows[chosen] - part[0]
        inputs = MetricInputs(labels[part], scores[part], WEIGHTS[part])
        kernel.add(inputs, Membership(rows, SECOND.groups[chosen], 2))
    return [computation.value(kernel.state(group)) for group in range(2)]


def f_beta(rows, beta=1.0, weights=None) -> float:
    weights = np.ones(6) if weights is None else weights
    labels, chosen, weights = LABELS[rows], SCORES[rows] > 0.5, weights[rows]
    found = (weights * labels * chosen).sum()
    below = beta**2 * (weights * labels).sum() + (weights * chosen).sum()
    return (1 + beta**2) * found / below


@pytest.mark.parametrize("batches", [1, 2, 6])
def test_a_class_is_exact_in_every_slice_however_the_rows_come(batches):
    expected = [f_beta(slice(None), 2), f_beta([1, 3], 2)]
    assert values("FBeta", '"beta": 2', batches=batches) == pytest.approx(expected)
    medians = [np.median(SCORES), np.median(SCORES[[1, 3]])]
    assert values("Median", batches=batches) == pytest.approx(medians)


def test_weights_apply_where_the_config_says_so():
    found = values("FBeta", view=View(weighted=True))
    assert found == pytest.approx(
        [f_beta(slice(None), weights=WEIGHTS), f_beta([1, 3], weights=WEIGHTS)]
    )


def test_a_function_of_rows_is_a_weighted_mean_without_nan():
    labels = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 200.0])
    found = values("within", '"tolerance": 0.35', labels=labels)
    assert found == pytest.approx([3 / 5, 1 / 2])
    weighted = values("within", '"tolerance": 0.35', View(weighted=True), labels=labels)
    assert weighted == pytest.approx([3 / 8, 1 / 3])


def test_parts_merge_into_what_one_would_be():
    rows = np.arange(6)
    for name, expected in (
        ("FBeta", f_beta(rows)),
        ("Median", np.median(SCORES)),
        ("KerasSum", 3.5),
    ):
        computation = build(name)
        kernel_class, params = computation.kernel
        parts = [kernel_class(params, View()) for _ in range(2)]
        for kernel, part in zip(parts, np.array_split(rows, 2), strict=True):
            group = Membership(np.arange(3), np.zeros(3, np.int64), 1)
            kernel.add(MetricInputs(LABELS[part], SCORES[part]), group)
        first, second = parts
        first.merge(second, [0])
        assert computation.value(first.state(0)) == pytest.approx(expected)


def test_labels_and_scores_have_a_dimension_more_where_there_are_classes():
    assert values("Shapes")[0].tolist() == [1, 1, 1]
    scores = np.random.default_rng(1).random((6, 3)).astype(np.float32)
    assert values("Shapes", labels=np.eye(3)[[0, 1, 2] * 2], scores=scores)[0].tolist() == [2, 2, 1]
    of_class = View(sub_key=SubKey(class_id=1))
    found = values("Shapes", view=of_class, labels=np.array([0, 1, 2] * 2), scores=scores)
    assert found[0].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("class_name", "config", "message"),
    [
        ("FBeat", "", "test_user_metrics.py defines no 'FBeat'.* Did you mean 'FBeta'"),
        (
            "FBeta",
            '"bta": 2',
            r"own.FBeta does not take its MetricConfig.config: .*'bta'.* \(beta: float",
        ),
        ("within", '"tol": 2', "own.within does not take its MetricConfig.config"),
        (
            "plain",
            "",
            "own.plain is not a metric. Expected: a class derived from penstock.evaluation.Metric",
        ),
        ("Broken", "", "own.Broken cannot be constructed: RuntimeError: no"),
        ("FBeta", "{beta}", "config of metric FBeta is not JSON"),
    ],
)
def test_what_is_no_metric_is_named(class_name, config, message):
    with pytest.raises(ValueError, match=message):
        build(class_name, config)


def test_a_value_must_be_a_number_and_a_row_needs_one():
    with pytest.raises(ValueError, match="own.Words must return a number .* Received: 'much'"):
        values("Words")
    with pytest.raises(ValueError, match=r"scalar must return one number per row, \[6\]"):
        values("scalar")


def test_a_module_that_does_not_exist_is_named():
    metric = MetricConfig(class_name="A", module="no_such_folder.metrics")
    with pytest.raises(ValueError, match="there is no module 'no_such_folder'"):
        computation_of(metric, {})


def __getattr__(name: str):
    """Makes Keras metrics when they are asked for, so that other tests do not import Keras."""
    if name not in ("KerasSum", "Precision", "PinballLoss", "WholeBatch"):
        raise AttributeError(name)
    import keras

    class KerasSum(keras.metrics.Sum):
        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_pred, sample_weight)

    class Precision(keras.metrics.Mean):
        """Has the name of a metric of the table, and is another."""

        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(keras.ops.ones_like(y_pred) * 0.123)

    class PinballLoss(keras.losses.Loss):
        def __init__(self, quantile=0.5, name="pinball"):
            super().__init__(name=name)
            self.quantile = quantile

        def call(self, y_true, y_pred):
            error = y_true - y_pred
            return keras.ops.maximum(self.quantile * error, (self.quantile - 1) * error)

    class WholeBatch(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.mean(y_pred)

    made = (KerasSum, Precision, PinballLoss, WholeBatch)
    return {each.__name__: each for each in made}[name]


@pytest.mark.tensorflow
def test_a_keras_loss_is_the_weighted_mean_over_the_rows(files, model, columns):
    loss = {"class_name": "PinballLoss", "module": "own", "config": '"quantile": 0.9'}
    config = {
        "model_specs": [
            {"label_key": "size", "prediction_key": "value", "example_weight_key": "weight"}
        ],
        "metrics_specs": [{"metrics": [loss]}],
    }
    found = evaluate(files, model=model, eval_config=config, modules={"own": MODULE}).metrics()
    size, x, weight = (np.array(columns[name])[:, 0] for name in ("size", "x", "weight"))
    error = size - x
    expected = np.average(np.maximum(0.9 * error, -0.1 * error), weights=weight)
    assert found == {"pinball_loss (weighted)": pytest.approx(expected, rel=1e-6)}


@pytest.mark.tensorflow
def test_a_keras_loss_without_a_value_a_row_is_refused(files, model, by_class):
    config = by_class({"class_name": "WholeBatch", "module": "own"})
    with pytest.raises(ValueError, match=r"own.WholeBatch must return a value for each row"):
        evaluate(files, model=model, eval_config=config, modules={"own": MODULE})


@pytest.mark.tensorflow
@pytest.mark.parametrize("batches", [1, 3])
def test_a_keras_class_keeps_a_state_a_slice(batches):
    assert values("KerasSum", batches=batches) == pytest.approx([3.5, 1.3])
    weighted = values("KerasSum", view=View(weighted=True), batches=batches)
    assert weighted == pytest.approx([5.7, 1.9])


@pytest.mark.tensorflow
def test_a_class_of_ones_own_goes_before_the_tables(files, model, by_class):
    config = by_class({"class_name": "Precision", "module": "own"})
    config["slicing_specs"] = [{}, {"feature_keys": ["kind"]}]
    result = evaluate(files, model=model, eval_config=config, modules={"own": MODULE})
    assert [result.metrics(s.key) for s in result.slices] == [
        {"precision": pytest.approx(0.123)} for _ in result.slices
    ]


@pytest.mark.tensorflow
def test_a_keras_metric_may_be_named_by_its_module(files, model, columns):
    metric = {"class_name": "CosineSimilarity", "module": "keras.metrics"}
    config = {
        "model_specs": [{"label_key": "x", "prediction_key": "value"}],
        "metrics_specs": [{"metrics": [metric]}],
    }
    # Every prediction is the label itself, one number: the cosine is 1.
    found = evaluate(files, model=model, eval_config=config).metrics()
    assert found == {"cosine_similarity": pytest.approx(1.0)}


@pytest.mark.tensorflow
def test_a_module_is_imported_by_its_dotted_name(
    files, model, by_class, tmp_path: Path, monkeypatch
):
    (tmp_path / "own_metrics_of_a_test.py").write_text(
        "from penstock.evaluation import row_metric\n"
        "@row_metric\n"
        "def top(labels, predictions):\n"
        "    return predictions.max(axis=1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    threshold = {"value_threshold": {"lower_bound": 0.999}}
    metric = {"class_name": "top", "module": "own_metrics_of_a_test", "threshold": threshold}
    result = evaluate(files, model=model, eval_config=by_class(metric))
    assert 0.3 < result.metrics()["top"] < 0.999
    assert result.validation.failures()[0].startswith("top 0.")
