import numpy as np
import pytest

from penstock.evaluation import evaluate
from penstock.evaluation.checks.check_config import check_config
from penstock.evaluation.config import as_eval_config
from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import View
from penstock.evaluation.keys import MetricKey
from penstock.evaluation.plan import plan_metrics
from penstock.evaluation.resolve import resolve_config
from penstock.evaluation.slices.slicing import Membership

NAME = "fairness_indicators_metrics"
# Label, prediction and weight, and what fairness-indicators 0.52 gives for them under TFMA 0.52.
ROWS = [(1, 0.9, 1.0), (1, 0.3, 2.0), (0, 0.4, 1.5), (0, 0.1, 1.0), (1, 0.2, 0.5), (0, 0.5, 3.0)]
GOLDEN = {
    "false_positive_rate@0.25": 0.818182,
    "false_negative_rate@0.25": 0.142857,
    "true_positive_rate@0.25": 0.857143,
    "true_negative_rate@0.25": 0.181818,
    "positive_rate@0.25": 0.833333,
    "negative_rate@0.25": 0.166667,
    "false_discovery_rate@0.25": 0.6,
    "false_omission_rate@0.25": 0.333333,
    "precision@0.25": 0.4,
    "recall@0.25": 0.857143,
    "false_positive_rate@0.50": 0.0,
    "false_negative_rate@0.50": 0.714286,
    "true_positive_rate@0.50": 0.285714,
    "true_negative_rate@0.50": 1.0,
    "positive_rate@0.50": 0.111111,
    "negative_rate@0.50": 0.888889,
    "false_discovery_rate@0.50": 0.0,
    "false_omission_rate@0.50": 0.3125,
    "precision@0.50": 1.0,
    "recall@0.50": 0.285714,
}


def config(arguments="", **spec):
    metric = {"class_name": "FairnessIndicators", "config": arguments}
    return {
        "model_specs": [{"label_key": "positive", "prediction_key": "positive"}],
        "metrics_specs": [{"metrics": [metric], **spec}],
    }


def planned(arguments=""):
    return plan_metrics(resolve_config(as_eval_config(config(arguments)), has_baseline=False))


def values(arguments, rows):
    labels, predictions, weights = (np.array(column) for column in zip(*rows, strict=True))
    inputs = MetricInputs(labels, predictions, weights)
    groups = np.zeros(len(rows), np.int64)
    found = {}
    for metric in planned(arguments):
        kernel = metric.computation.kernel[0](metric.computation.kernel[1], View(weighted=True))
        kernel.add(inputs, Membership(np.arange(len(rows)), groups, 1))
        found[metric.key.name] = metric.computation.value(kernel.state(0))
    return found


def test_values_and_names_are_those_of_fairness_indicators():
    found = values('"thresholds": [0.25, 0.5]', ROWS)
    assert found == {f"{NAME}/{name}": pytest.approx(v, abs=1e-6) for name, v in GOLDEN.items()}


def test_a_rate_of_nothing_is_not_a_number():
    found = values('"thresholds": 0.5, "name": "fair"', [(1, 0.9, 1.0)])
    assert found["fair/recall@0.5"] == 1.0
    assert np.isnan(found["fair/false_positive_rate@0.5"])


def test_nine_thresholds_by_default():
    names = [metric.key.name for metric in planned()]
    assert len(set(names)) == 90
    assert names[0] == f"{NAME}/false_positive_rate@0.1"


def test_a_threshold_names_one_of_the_rates():
    lower = {"value_threshold": {"upper_bound": 0.3}}
    given = config(thresholds={f"{NAME}/false_positive_rate@0.5": lower})
    assert check_config(given) == []
    given = config(thresholds={f"{NAME}/false_positive_rate@0.50": lower})
    assert "Did you mean" in str(check_config(given)[0])
    given = config()
    given["metrics_specs"][0]["metrics"][0]["threshold"] = lower
    (problem,) = check_config(given)
    assert "FairnessIndicators has many values; set thresholds by their names" in str(problem)


@pytest.mark.tensorflow
def test_rates_of_slices_with_intervals_and_a_threshold_on_one(files, model):
    upper = {"value_threshold": {"upper_bound": -1.0}}
    given = config('"thresholds": [0.5]', thresholds={f"{NAME}/positive_rate@0.5": upper})
    given["slicing_specs"] = [{}, {"feature_keys": ["kind"]}]
    given["options"] = {"compute_confidence_intervals": True}
    found = evaluate(files, model=model, eval_config=given)
    key = MetricKey(f"{NAME}/positive_rate@0.5")
    for result in found.slices:
        interval = result.intervals[key]
        assert interval.lower < result.metrics[key] < interval.upper
    assert len(found.validation.checks) == 4
    assert "with 95% confidence from " in found.validation.failures()[0]
