"""One digit against the rest, on a cut of the data: class weights, and a threshold chosen on validation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.cut_run import project_of, run_cut
from tests.pipelines.test_digits import digits, write_idx

from penstock.io.images.png import encode_png
from penstock.runners.result import RunResult

pytestmark = pytest.mark.tensorflow

ROWS = 1300


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunResult:
    folder = project_of(tmp_path_factory.mktemp("digits_binary") / "project")
    pixels, labels = digits()
    write_idx(folder / "data/digits", pixels[:ROWS], labels[:ROWS])
    return run_cut(folder, "digits_binary", {"epochs": 5})


def test_it_beats_logistic_regression_by_the_area_under_precision_and_recall(run):
    (comparison,) = run["BaselineComparison"].outputs["comparison"]
    found = {metric["name"]: metric for metric in comparison.value["metrics"]}["average_precision"]
    assert found["model"] - found["baseline"] >= 0.08


def test_the_threshold_is_the_served_one(run):
    from penstock.serving import load_model

    (model_run,) = run["Trainer"].outputs["model_run"]
    history = json.loads(Path(model_run.uri, "history.json").read_text())
    (threshold,) = history["chosen/threshold"]
    assert 0 < threshold < 1
    assert history["chosen/f1"][0] > 0.6
    assert Path(model_run.uri, "threshold/precision_recall.png").is_file()
    pixels, labels = (each[ROWS : ROWS + 400] for each in digits())
    (trained,) = run["Trainer"].outputs["model"]
    answers = load_model(trained.serving_uri).predict(
        [{"image": encode_png(image)} for image in pixels]
    )
    said = np.array([answer["is_positive"] for answer in answers])
    np.testing.assert_array_equal(
        said, [answer["probability"] >= np.float32(threshold) for answer in answers]
    )
    # Far better than never saying eight, whose recall is 0.
    recall, precision = said[labels == 8].mean(), (labels[said] == 8).mean()
    assert min(recall, precision) > 0.5


def test_weights_make_the_classes_equal():
    from modules.digits_binary import balanced_weights

    weights = balanced_weights(np.array([0] * 9 + [1]))
    assert weights == pytest.approx({0: 10 / 18, 1: 5.0})
    assert 9 * weights[0] == pytest.approx(weights[1])


def test_the_threshold_has_the_highest_f1():
    from modules.digits_binary import best_threshold

    labels = np.array([0, 0, 1, 0, 1, 1])
    probabilities = np.array([0.1, 0.2, 0.4, 0.5, 0.6, 0.9])
    chosen = best_threshold(labels, probabilities)
    found = {}
    for threshold in np.linspace(0, 1, 101):
        said = probabilities >= threshold
        found[threshold] = 2 * (said & (labels == 1)).sum() / (said.sum() + labels.sum())
    assert chosen["f1"] == pytest.approx(max(found.values()))
    said = probabilities >= chosen["threshold"]
    assert 2 * (said & (labels == 1)).sum() / (said.sum() + 3) == pytest.approx(chosen["f1"])
