"""Metrics against values computed by hand, or by scikit-learn's definitions written out."""

import math

import numpy as np
import pytest

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import View
from penstock.evaluation.metrics.catalog import CATALOG, metric_names
from penstock.evaluation.metrics.registry import _BUILDERS, build_metric, load_metrics, metric
from penstock.evaluation.slices.slicing import Membership


def value(class_name, labels, predictions, weights=None, config="", view=None):
    _, computation = build_metric(class_name, config)
    kernel_class, params = computation.kernel
    kernel = kernel_class(params, view or View(weighted=weights is not None))
    inputs = MetricInputs(np.array(labels), np.array(predictions, np.float32), weights)
    count = len(inputs.predictions)
    kernel.add(inputs, Membership(np.arange(count), np.zeros(count, np.int64), 1))
    return computation.value(kernel.state(0))


LABELS = [1, 0, 1, 1, 0]
SCORES = [0.9, 0.6, 0.4, 0.7, 0.1]
# Above 0.5: tp 2, fp 1, fn 1, tn 1.


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BinaryAccuracy", 3 / 5),
        ("Precision", 2 / 3),
        ("Recall", 2 / 3),
        ("Specificity", 1 / 2),
        ("FallOut", 1 / 2),
        ("MissRate", 1 / 3),
        ("F1Score", 2 / 3),
        ("NegativePredictiveValue", 1 / 2),
        ("ThreatScore", 2 / 4),
        ("BalancedAccuracy", (2 / 3 + 1 / 2) / 2),
        ("MatthewsCorrelationCoefficient", (2 * 1 - 1 * 1) / math.sqrt(3 * 3 * 2 * 2)),
        ("Prevalence", 3 / 5),
        ("Informedness", 2 / 3 + 1 / 2 - 1),
        ("PositiveLikelihoodRatio", (2 / 3) / (1 / 2)),
        ("NegativeLikelihoodRatio", (1 / 3) / (1 / 2)),
        ("DiagnosticOddsRatio", (2 / 1) / (1 / 1)),
        ("TruePositives", 2.0),
        ("PredictedPositiveRate", 3 / 5),
        ("ExampleCount", 5.0),
        ("MeanLabel", 3 / 5),
        ("MeanPrediction", 2.7 / 5),
        ("Calibration", 2.7 / 3),
        ("MeanAbsoluteError", (0.1 + 0.6 + 0.6 + 0.3 + 0.1) / 5),
        ("MeanSquaredError", (0.01 + 0.36 + 0.36 + 0.09 + 0.01) / 5),
        ("RootMeanSquaredError", math.sqrt(0.83 / 5)),
        ("MeanAbsolutePercentageError", 100 * (0.1 + 0.6 + 0.3) / 3),
        ("BinaryCrossEntropy", -np.mean(np.log([0.9, 0.4, 0.4, 0.7, 0.9]))),
        ("BinaryCrossentropy", -np.mean(np.log([0.9, 0.4, 0.4, 0.7, 0.9]))),
    ],
)
def test_binary_metrics(name, expected):
    assert value(name, LABELS, SCORES) == pytest.approx(expected, abs=1e-6)


def test_auc_is_the_share_of_pairs_in_order():
    # Positives 0.9 0.4 0.7 against negatives 0.6 0.1: five of six pairs are in order.
    assert value("AUC", LABELS, SCORES) == pytest.approx(5 / 6, abs=1e-6)
    assert value("AUC", LABELS, SCORES, config='{"curve": "PR"}') == pytest.approx(
        value("AUCPrecisionRecall", LABELS, SCORES), abs=0
    )
    assert value("AUC", LABELS, SCORES, config='"thresholds": [0.0, 0.5, 1.0]') > 0


def test_weights_weigh():
    weights = np.array([1.0, 2.0, 0.0, 1.0, 4.0])
    assert value("Precision", LABELS, SCORES, weights) == pytest.approx(2 / 4)
    assert value("ExampleCount", LABELS, SCORES, weights) == 8.0
    assert value("BinaryAccuracy", LABELS, SCORES, weights) == pytest.approx(6 / 8)


def test_a_fractional_label_counts_on_both_sides():
    assert value("TruePositives", [0.25], [0.8]) == 0.25
    assert value("FalsePositives", [0.25], [0.8]) == 0.75


def test_undefined_ratios_are_nan():
    assert math.isnan(value("Precision", [1, 1], [0.1, 0.2]))
    assert math.isnan(value("Recall", [0, 0], [0.9, 0.2]))
    assert math.isnan(value("Calibration", [0.0, 0.0], [0.9, 0.2]))
    assert math.isnan(value("MeanSquaredError", [0.0], [0.9], np.zeros(1)))
    assert math.isnan(value("DiagnosticOddsRatio", [1, 1], [0.9, 0.9]))


def test_thresholds_give_a_value_each():
    found = value("Recall", LABELS, SCORES, config='{"thresholds": [0.05, 0.5, 0.95]}')
    np.testing.assert_allclose(found, [1, 2 / 3, 0])


def test_the_best_under_a_constraint():
    assert value("PrecisionAtRecall", LABELS, SCORES, config='{"recall": 0.6}') == pytest.approx(
        1.0
    )
    assert value("SpecificityAtSensitivity", LABELS, SCORES, config='{"sensitivity": 1.0}') == 0.5
    assert value("RecallAtPrecision", LABELS, SCORES, config='{"precision": 0.7}') == pytest.approx(
        1.0
    )
    found = value("SensitivityAtSpecificity", LABELS, SCORES, config='{"specificity": [0.4, 1.0]}')
    np.testing.assert_allclose(found, [1.0, 2 / 3])
    config = '{"false_positive_rate": 0.1}'
    assert value("RecallAtFalsePositiveRate", LABELS, SCORES, config=config) == pytest.approx(2 / 3)


CLASSES = [2, 0, 1]
CLASS_SCORES = [[0.1, 0.2, 0.7], [0.3, 0.6, 0.1], [0.2, 0.5, 0.3]]
ONE_HOT = np.eye(3)[CLASSES]


def test_multi_class_metrics():
    assert value("SparseCategoricalAccuracy", CLASSES, CLASS_SCORES) == pytest.approx(2 / 3)
    assert value("CategoricalAccuracy", ONE_HOT, CLASS_SCORES) == pytest.approx(2 / 3)
    config = '{"k": 2}'
    assert value("SparseTopKCategoricalAccuracy", CLASSES, CLASS_SCORES, config=config) == 1.0
    assert value("TopKCategoricalAccuracy", ONE_HOT, CLASS_SCORES, config=config) == 1.0
    expected = -np.mean(np.log([0.7, 0.3, 0.5]))
    for name, labels in (("Sparse", CLASSES), ("", ONE_HOT)):
        found = value(f"{name}CategoricalCrossentropy", labels, CLASS_SCORES)
        assert found == pytest.approx(expected, abs=1e-6)
    logits = np.log(CLASS_SCORES)
    found = value("SparseCategoricalCrossentropy", CLASSES, logits, config='{"from_logits": true}')
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_confusion_matrix_counts_by_class_and_threshold():
    config = '{"thresholds": [0.0, 0.55]}'
    found = value("MultiClassConfusionMatrixAtThresholds", CLASSES, CLASS_SCORES, config=config)
    assert found.cells[0.0] == {(2, 2): 1, (0, 1): 1, (1, 1): 1}
    assert found.cells[0.55] == {(2, 2): 1, (0, 1): 1, (1, -1): 1}


def test_accuracies_say_which_labels_they_need():
    with pytest.raises(
        ValueError, match="SparseCategoricalAccuracy needs labels with one class id per row"
    ):
        value("SparseCategoricalAccuracy", ONE_HOT, CLASS_SCORES)
    with pytest.raises(
        ValueError, match="CategoricalAccuracy needs labels with one value per class"
    ):
        value("CategoricalAccuracy", CLASSES, CLASS_SCORES)


def test_plots_follow_the_data():
    plot = value("CalibrationPlot", LABELS, SCORES, config='{"num_buckets": 2}')
    assert plot.edges.tolist() == [-np.inf, 0, 0.5, 1, np.inf]
    assert plot.weights.tolist() == [0, 2, 3, 0]
    np.testing.assert_allclose(plot.predictions, [0, 0.5, 2.2, 0], rtol=1e-6)
    matrices = value("ConfusionMatrixPlot", LABELS, SCORES, config='{"num_thresholds": 4}').matrices
    assert matrices.tp.tolist() == [3, 3, 3, 2, 1, 0]
    assert matrices.fp.tolist() == [2, 2, 1, 1, 0, 0]


def test_an_unknown_metric_names_the_nearest_or_all():
    with pytest.raises(ValueError, match="no metric 'Acuracy'. Did you mean 'Accuracy'") as caught:
        build_metric("Acuracy")
    assert "Metrics:" not in str(caught.value)
    with pytest.raises(ValueError, match="no metric 'Qwx'. Metrics: ") as caught:
        build_metric("Qwx")
    assert all(name in str(caught.value) for name in metric_names())


def test_an_unknown_argument_names_those_that_exist():
    with pytest.raises(
        ValueError,
        match=r"AUC takes no argument 'curv'. Did you mean 'curve'\? Arguments: name, .*curve",
    ):
        build_metric("AUC", '{"curv": "PR"}')
    with pytest.raises(ValueError, match="config of metric AUC is not JSON"):
        build_metric("AUC", "{curve}")
    with pytest.raises(ValueError, match="Received: thresholds=0.5, num_thresholds=10"):
        build_metric("Precision", '{"thresholds": 0.5, "num_thresholds": 10}')
    with pytest.raises(ValueError, match="AUC's curve must be 'ROC' or 'PR'. Received: 'roq'"):
        build_metric("AUC", '{"curve": "roq"}')
    with pytest.raises(
        ValueError, match="AUC's num_thresholds must be a whole number. Received: '9'"
    ):
        build_metric("AUC", '{"num_thresholds": "9"}')
    with pytest.raises(ValueError, match="PrecisionAtRecall needs the argument 'recall'"):
        build_metric("PrecisionAtRecall")
    for config, message in {
        '"class_id": 1, "top_k": 2': "class_id and top_k cannot be combined",
        '"top_k": 0': "Precision's top_k must be at least 1. Received: 0",
        '"num_thresholds": 1': "Precision's num_thresholds must be at least 2",
        '"thresholds": []': "Precision's thresholds are empty",
    }.items():
        with pytest.raises(ValueError, match=message):
            build_metric("Precision", config)
    with pytest.raises(ValueError, match="dtype='float16' has no effect"):
        build_metric("AUC", '{"dtype": "float16"}')


def test_what_keras_writes_out_is_taken():
    config = '{"name": "a", "dtype": "float32", "num_labels": null, "curve": "roc", "top_k": null}'
    assert build_metric("AUC", config)[0] == "a"


def test_every_metric_of_the_catalog_is_implemented_with_its_arguments():
    load_metrics()
    left = {name for name, declaration in CATALOG.items() if declaration.by_tfma}
    assert set(metric_names()) == set(_BUILDERS) | left
    with pytest.raises(TypeError, match=r"AUC takes \['nothing'\]; the catalog says"):
        metric("AUC")(lambda nothing: None)


def test_unknown_labels_are_no_hit():
    # -1 is a label that is not in the vocabulary; 7 is beyond the three classes.
    labels = [-1, 7, 1]
    for name in ("SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy"):
        config = '"k": 1' if "TopK" in name else ""
        assert value(name, labels, CLASS_SCORES, config=config) == pytest.approx(1 / 3)
    none = np.array([[0, 0, 0], [0, 1, 0], [0, 1, 0]])
    assert value("CategoricalAccuracy", none, CLASS_SCORES) == pytest.approx(2 / 3)
    assert value("TopKCategoricalAccuracy", none, CLASS_SCORES, config='"k": 1') == pytest.approx(
        2 / 3
    )
    found = value("MultiClassConfusionMatrixAtThresholds", labels, CLASS_SCORES)
    assert found.cells[0.5] == {(-1, 2): 1, (7, 1): 1, (1, -1): 1}


@pytest.mark.parametrize("label", [-1, 7])
def test_a_cross_entropy_of_an_unknown_label_is_refused_with_label_and_classes(label):
    with pytest.raises(ValueError, match=rf"the label \[{label}\], where the model has 3 classes"):
        value("SparseCategoricalCrossentropy", [0, label, 1], CLASS_SCORES)
    with pytest.raises(ValueError, match=r"the label \[0, 0, 0\], where the model has 3 classes"):
        value("CategoricalCrossentropy", [[1, 0, 0], [0, 0, 0], [0, 1, 0]], CLASS_SCORES)


def test_class_ids_are_whole_numbers():
    with pytest.raises(
        ValueError, match=r"A class id must be a whole number. Received: a label 1\.7"
    ):
        value("SparseCategoricalAccuracy", [1.0, 1.7, 0.0], CLASS_SCORES)
    with pytest.raises(ValueError, match="class ids from 0 to 65,534, or -1 .* Received: -2"):
        value("MultiClassConfusionMatrixAtThresholds", [0, -2, 1], CLASS_SCORES)


def test_names_are_kerass_or_given():
    assert build_metric("SparseCategoricalAccuracy")[0] == "sparse_categorical_accuracy"
    assert build_metric("AUCPrecisionRecall")[0] == "auc_precision_recall"
    assert build_metric("F1Score")[0] == "f1_score"
    assert build_metric("TP")[0] == "tp"
    assert build_metric("AUC", '"name": "mine"')[0] == "mine"


def test_a_prediction_that_is_no_number_is_no_hit_and_no_small_error():
    scores = [[0.7, 0.2, 0.1], [math.nan] * 3, [0.1, math.nan, 0.2]]
    assert value("SparseCategoricalAccuracy", [0, 0, 1], scores) == pytest.approx(1 / 3)
    top_two = value("SparseTopKCategoricalAccuracy", [0, 0, 1], scores, config='"k": 2')
    assert top_two == pytest.approx(1 / 3)
    for name in ("MeanAbsoluteError", "MeanSquaredError", "RootMeanSquaredError"):
        assert math.isnan(value(name, [1.0, 2.0], [1.0, math.nan]))


def test_accuracy_of_scores_by_class_names_the_metric_for_them():
    with pytest.raises(
        ValueError, match="class ids beside one score per class use SparseCategorical"
    ):
        value("Accuracy", [0, 1], [[0.3, 0.7], [0.4, 0.6]])


def test_auc_with_negative_weights_is_tfmas():
    weights = np.array([1.0, -1.0, 2.0, 0.5, -3.0, 1.0])
    scores = [0.1, 0.9, 0.4, 0.6, 0.8, 0.3]
    assert value("AUC", [0, 1, 1, 0, 1, 0], scores, weights) == pytest.approx(1.2, abs=1e-4)
