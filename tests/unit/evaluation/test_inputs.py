import numpy as np
import pytest

from penstock.evaluation.inputs import MetricInputs, labels_to_ids, select_prediction
from penstock.evaluation.keys import SubKey

SCORES = np.array([[0.3, 0.6, 0.1], [0.2, 0.3, 0.5]], np.float32)


def test_class_ids_become_one_hot_pairs():
    pairs = MetricInputs(np.array([2, 0]), SCORES).pairs()
    assert pairs.labels.tolist() == [[0, 0, 1], [1, 0, 0]]
    assert pairs.weights.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_a_class_is_selected():
    pairs = MetricInputs(np.array([2, 0]), SCORES).pairs(sub_key=SubKey(class_id=2))
    assert pairs.labels.tolist() == [[1], [0]]
    np.testing.assert_allclose(pairs.predictions, [[0.1], [0.5]], rtol=1e-6)


def test_the_kth_best_class_is_selected():
    pairs = MetricInputs(np.array([0, 2]), SCORES).pairs(sub_key=SubKey(k=2))
    np.testing.assert_allclose(pairs.predictions, [[0.3], [0.3]], rtol=1e-6)
    assert pairs.labels.tolist() == [[1], [0]]


def test_the_best_classes_keep_their_scores_and_others_become_minus_infinity():
    inputs = MetricInputs(np.array([0, 2]), SCORES)
    kept = inputs.pairs(sub_key=SubKey(top_k=2))
    assert np.isneginf(kept.predictions).tolist() == [[False, False, True], [True, False, False]]
    cut = inputs.pairs(sub_key=SubKey(top_k=2), aggregated=True)
    assert cut.predictions.shape == (2, 2)


def test_weights_of_rows_and_of_classes_multiply():
    inputs = MetricInputs(np.array([0, 2]), SCORES, np.array([2.0, 3.0]))
    pairs = inputs.pairs(class_weights=((0, 1.0), (1, 10.0)), weighted=True)
    assert pairs.weights.tolist() == [[2, 20, 0], [3, 30, 0]]


def test_a_class_beyond_the_models_is_refused():
    with pytest.raises(ValueError, match="for class_id 3, but the model has 3 classes"):
        MetricInputs(np.array([0, 2]), SCORES).pairs(sub_key=SubKey(class_id=3))


def test_a_label_outside_of_0_and_1_is_no_binary_label():
    with pytest.raises(ValueError, match="Received: a label 2"):
        MetricInputs(np.array([2.0]), np.array([0.5])).pairs().check_binary()


def test_text_labels_say_what_to_do():
    with pytest.raises(ValueError, match="The labels are strings, such as b'x'"):
        _ = MetricInputs(np.array([b"x"], object), np.array([[0.5, 0.5]])).class_ids


def test_text_labels_are_looked_up_in_the_classifiers_vocabulary():
    labels = np.array([b"b", b"?", b"a"], object)
    outputs = {"all_classes": np.array([[b"a", b"b"]] * 3, object), "probabilities": SCORES}
    assert labels_to_ids(labels, outputs).tolist() == [1, -1, 0]
    outputs = {"classes": outputs["all_classes"], "scores": SCORES}
    assert labels_to_ids(labels, outputs).tolist() == [1, -1, 0]
    assert labels_to_ids(np.array([3]), outputs).tolist() == [3]
    # What the signature returns comes before what lies in the model.
    assert labels_to_ids(labels, outputs, ["b", "a"]).tolist() == [1, -1, 0]
    assert labels_to_ids(labels, {}, ["b", "a"]).tolist() == [0, -1, 1]


def test_the_prediction_is_found_by_key_alone_or_well_known_name():
    a, b = np.zeros(1), np.ones(1)
    assert select_prediction({"x": a}, "") is a
    assert select_prediction({"x": a, "probabilities": b}, "") is b
    assert select_prediction({"x": a, "probabilities": b}, "x") is a
    with pytest.raises(ValueError, match="returns no 'z'. It returns: x, y"):
        select_prediction({"x": a, "y": b}, "z")
    with pytest.raises(ValueError, match="Set prediction_key in the ModelSpec. Outputs: x, y"):
        select_prediction({"x": a, "y": b}, "")


def test_predictions_must_be_numbers():
    inputs = MetricInputs(np.array([1]), np.array([b"0.9"], object))
    with pytest.raises(ValueError, match="such as b'0.9'. Name another output in ModelSpec.pred"):
        inputs.check_predictions()
