"""Metrics that only TFMA computes are handed to it, in a process of its own, and named."""

import logging
import sys
import textwrap

import pytest

from penstock.evaluation import evaluate, read_metrics, write_evaluation
from penstock.evaluation.by_tfma import run
from penstock.evaluation.by_tfma.left_metrics import left_config
from penstock.evaluation.by_tfma.run import add_values_by_tfma
from penstock.evaluation.config import as_eval_config
from penstock.evaluation.keys import MetricKey
from penstock.evaluation.plan import plan_metrics
from penstock.evaluation.resolve import resolve_config

SAMPLE = {"class_name": "FixedSizeSample", "config": '"sampled_key": "size", "size": 5'}
BINARY = {"label_key": "positive", "prediction_key": "positive"}


def config(*metrics, **more):
    return as_eval_config(
        {
            "model_specs": [BINARY],
            "slicing_specs": [{}, {"feature_keys": ["size"]}],
            "metrics_specs": [{"metrics": list(metrics), **more}],
        }
    )


def test_what_is_left_keeps_its_place_and_loses_its_thresholds():
    given = config(
        {"class_name": "AUC"}, SAMPLE, thresholds={"auc": {"value_threshold": {"lower_bound": 0.5}}}
    )
    resolved = resolve_config(given, has_baseline=False)
    left = left_config(resolved, {})
    (spec,) = left.metrics_specs
    assert [metric.class_name for metric in spec.metrics] == ["FixedSizeSample"]
    assert not spec.thresholds
    assert left.slicing_specs == resolved.slicing_specs
    assert [metric.key.name for metric in plan_metrics(resolved)] == ["auc"]
    assert (
        left_config(resolve_config(config({"class_name": "AUC"}), has_baseline=False), {}) is None
    )


def test_what_tfma_cannot_read_is_said(tmp_path, monkeypatch):
    left = left_config(resolve_config(config(SAMPLE), has_baseline=False), {})
    with pytest.raises(ValueError, match="Only TFMA computes FixedSizeSample, and it reads TFRec"):
        add_values_by_tfma([], left, {"": str(tmp_path)}, [], "parquet", {})
    with pytest.raises(ValueError, match=r"it reads SavedModels\. .* is none"):
        add_values_by_tfma([], left, {"": str(tmp_path)}, [], "tfrecords_gzip", {})
    monkeypatch.setattr(run, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="it is not installed here: pip install"):
        add_values_by_tfma([], left, {"": str(tmp_path)}, [], "tfrecords_gzip", {})


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.processes
def test_tfma_computes_samples_and_metric_classes_of_its_kind(
    files, model, tmp_path, monkeypatch, caplog
):
    (tmp_path / "tfma_metrics.py").write_text(
        textwrap.dedent(
            """
            from tensorflow_model_analysis.metrics import calibration


            class Average(calibration.MeanLabel):
                def __init__(self, name="average"):
                    super().__init__(name=name)
            """
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    threshold = {"value_threshold": {"lower_bound": 0.999}}
    own = {"class_name": "Average", "module": "tfma_metrics", "threshold": threshold}
    given = config({"class_name": "MeanLabel"}, SAMPLE, own)
    with caplog.at_level(logging.INFO, "penstock.evaluation.by_tfma.run"):
        found = evaluate(files, model=model, eval_config=given)
    assert (
        "Computed by TFMA on Beam, in a process of its own: Average, FixedSizeSample" in caplog.text
    )
    for result in found.slices:
        values = {key.name: value for key, value in result.metrics.items()}
        assert values["average"] == pytest.approx(values["mean_label"], abs=1e-9)
        assert len(values["fixed_size_sample"].message.array_value.int64_values) == 5
    assert not found.validation.ok
    assert "average" in found.validation.reasons()[0]
    write_evaluation(found, str(tmp_path / "evaluation"))
    ((_, stored), *_) = read_metrics(str(tmp_path / "evaluation"))
    assert MetricKey("fixed_size_sample") in stored
    sys.modules.pop("tfma_metrics", None)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.processes
def test_what_tfma_fails_on_comes_with_its_words(files, model):
    coco = {"class_name": "COCOAverageRecall", "config": '"class_id": 0'}
    with pytest.raises(
        ValueError, match=r"TFMA, which alone computes COCOAverageRecall, failed:\n"
    ):
        evaluate(files, model=model, eval_config=config(coco))
