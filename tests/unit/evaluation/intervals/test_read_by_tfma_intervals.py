"""TFMA's loaders read intervals, comparisons of slices, and several baselines from what is written here."""

import importlib.util
import json
import subprocess
import sys

import pytest

from penstock.evaluation import evaluate, write_evaluation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow_model_analysis") is None,
        reason="TFMA is not installed",
    ),
]

_READ = """
import json, sys, warnings
warnings.simplefilter("ignore")
import tensorflow_model_analysis as tfma
result = tfma.load_eval_result(sys.argv[1], model_name="candidate")
validation = tfma.load_validation_result(sys.argv[1])
print(json.dumps({
    "slices": [str(key) for key in result.get_slice_names()],
    "metrics": result.get_metrics_for_slice(),
    "ok": validation.validation_ok,
    "compared": [
        each.WhichOneof("slice_key_oneof") for each in validation.metric_validations_per_slice
    ],
}))
"""


def test_tfma_reads_intervals_comparisons_and_baselines(files, model, worse_model, tmp_path):
    compared = {"baseline_spec": {}, "slicing_specs": [{"feature_keys": ["kind"]}]}
    upper = {"value_threshold": {"upper_bound": -0.9}}
    metric = {
        "class_name": "SparseCategoricalAccuracy",
        "cross_slice_thresholds": [{"cross_slicing_specs": [compared], "threshold": upper}],
    }
    config = {
        "model_specs": [{"label_key": "label", "prediction_key": "probabilities"}],
        "slicing_specs": [{}, {"feature_keys": ["kind"]}],
        "cross_slicing_specs": [compared],
        "metrics_specs": [{"metrics": [metric]}],
        "options": {"compute_confidence_intervals": True},
    }
    baselines = {"old": worse_model, "live": model}
    found = evaluate(files, model=model, baseline=baselines, eval_config=config)
    write_evaluation(found, str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(tmp_path)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    read = json.loads(done.stdout.strip().splitlines()[-1])
    name = "sparse_categorical_accuracy"
    estimate = found.metrics()[name]
    bounded = read["metrics"][name]["boundedValue"]
    assert bounded["value"] == pytest.approx(float(estimate))
    assert bounded["lowerBound"] == pytest.approx(estimate.interval.lower)
    assert bounded["upperBound"] == pytest.approx(estimate.interval.upper)
    assert set(read["metrics"]) == {name, f"{name}_diff", f"{name}_vs_live_diff"}
    assert "((), (('kind', 'k0'),))" in read["slices"]
    assert read["compared"] == ["cross_slice_key"] * 3
    assert not read["ok"]
