import json
from pathlib import Path

import numpy as np
import pytest

from penstock.evaluation import (
    MetricKey,
    evaluate,
    read_checks,
    read_eval_config,
    read_metrics,
    read_plots,
    read_validation,
    write_evaluation,
)

GOLDEN = Path(__file__).resolve().parents[2] / "golden/penguin/pipeline_root/Evaluator/evaluation/8"


def test_what_tfx_wrote_is_read():
    ((key, metrics),) = read_metrics(str(GOLDEN))
    assert key == ()
    assert metrics == {MetricKey("sparse_categorical_accuracy"): pytest.approx(0.99, abs=1e-6)}
    validation = read_validation(str(GOLDEN))
    assert validation.validation_ok
    assert validation.validation_details.slicing_details[0].num_matching_slices == 1
    config = read_eval_config(str(GOLDEN))
    assert config.model_specs[0].label_key == "species_xf"
    assert read_plots(str(GOLDEN)) == [((), [])]
    assert read_checks(str(GOLDEN)) is None


@pytest.mark.tensorflow
def test_an_evaluation_is_read_as_it_was_written(files, model, worse_model, by_class, here):
    metrics = [
        {
            "class_name": "SparseCategoricalAccuracy",
            "threshold": {
                "value_threshold": {"lower_bound": 0.99},
                "change_threshold": {"absolute": 0.0, "direction": "HIGHER_IS_BETTER"},
            },
        },
        {"class_name": "Recall", "config": '{"thresholds": [0.2, 0.5]}'},
        {"class_name": "ConfusionMatrixAtThresholds", "config": '{"thresholds": [0.5]}'},
        {"class_name": "MultiClassConfusionMatrixAtThresholds"},
        {"class_name": "CalibrationPlot"},
        {"class_name": "ConfusionMatrixPlot"},
        {"class_name": "MultiClassConfusionMatrixPlot"},
    ]
    config = by_class(*metrics, slicing_specs=[{}, {"feature_keys": ["kind", "size"]}])
    evaluation = evaluate(files, model=model, baseline=worse_model, eval_config=config)
    write_evaluation(evaluation, here, data_location="examples")
    found = dict(read_metrics(here))
    assert list(found) == [each.key for each in evaluation.slices]
    for each in evaluation.slices:
        for key, value in each.metrics.items():
            if isinstance(value, float | np.ndarray):
                np.testing.assert_equal(found[each.key][key], value)
    plots = dict(read_plots(here))[()]
    assert {key.model_name for key, _ in plots} == {"candidate", "baseline"}
    assert any(plot.calibration_histogram_buckets.buckets for _, plot in plots)
    validation = read_validation(here)
    assert not validation.validation_ok
    failure = validation.metric_validations_per_slice[0].failures[0]
    assert failure.metric_key.name == "sparse_categorical_accuracy"
    assert failure.metric_threshold.value_threshold.lower_bound.value == 0.99
    checks = read_checks(here)
    assert checks["ok"] is False
    assert len(checks["checks"]) == 2 * len(evaluation.slices)
    run = json.loads(Path(here, "eval_config.json").read_text())
    assert run["dataLocation"] == "examples"
    names = {"candidate": Path(model).name, "baseline": Path(worse_model).name}
    assert run["modelLocations"] == names


@pytest.mark.tensorflow
def test_equal_evaluations_give_equal_bytes(files, model, by_class, tmp_path):
    config = by_class(
        {"class_name": "AUC"},
        {"class_name": "CalibrationPlot"},
        slicing_specs=[{}, {"feature_keys": ["kind"]}],
    )
    for name in ("a", "b"):
        write_evaluation(evaluate(files, model=model, eval_config=config), str(tmp_path / name))
    for file in sorted((tmp_path / "a").iterdir()):
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name
