import pytest

from penstock.evaluation import (
    evaluate,
    read_cross_slice_metrics,
    read_metrics,
    read_validation,
    write_evaluation,
)
from penstock.evaluation.checks.check_config import check_config
from penstock.evaluation.keys import MetricKey
from penstock.evaluation.verdict import failures

pytestmark = pytest.mark.tensorflow

ACCURACY = "sparse_categorical_accuracy"
KEY = MetricKey(ACCURACY)
KINDS = {"feature_keys": ["kind"]}
OVERALL = {"baseline_spec": {}, "slicing_specs": [KINDS]}


def accuracy(lower=None, upper=None, **spec):
    bounds = {"lower_bound": lower, "upper_bound": upper}
    bounds = {name: bound for name, bound in bounds.items() if bound is not None}
    entry = {
        "cross_slicing_specs": [spec or OVERALL],
        "threshold": {"value_threshold": bounds},
    }
    return {"class_name": "SparseCategoricalAccuracy", "cross_slice_thresholds": [entry]}


@pytest.fixture
def config(by_class):
    def make(*metrics, compared=(OVERALL,), **more):
        given = metrics or ({"class_name": "SparseCategoricalAccuracy"},)
        slices = {"slicing_specs": [{}, KINDS], "cross_slicing_specs": list(compared)}
        return by_class(*given, **{**slices, **more})

    return make


def test_a_comparison_is_the_baseline_slice_minus_the_other(files, model, config, tmp_path):
    found = evaluate(files, model=model, eval_config=config())
    values = {result.key: result.metrics[KEY] for result in found.slices}
    assert [each.name for each in found.cross_slices] == [
        "Overall vs. kind=k0",
        "Overall vs. kind=k1",
        "Overall vs. kind=k2",
    ]
    for each in found.cross_slices:
        assert each.metrics == {KEY: values[()] - values[each.key]}
    write_evaluation(found, str(tmp_path))
    assert len(read_metrics(str(tmp_path))) == 4
    read = read_cross_slice_metrics(str(tmp_path))
    assert read == [((), each.key, each.metrics) for each in found.cross_slices]


def test_without_slicing_specs_all_other_slices_are_compared_each_pair_once(files, model, config):
    all_others = {"baseline_spec": {"feature_values": {"kind": "k1"}}}
    found = evaluate(files, model=model, eval_config=config(compared=[all_others, all_others]))
    assert [each.name for each in found.cross_slices] == [
        "kind=k1 vs. Overall",
        "kind=k1 vs. kind=k0",
        "kind=k1 vs. kind=k2",
    ]


def test_thresholds_are_on_comparisons_alone(files, model, config, tmp_path):
    found = evaluate(files, model=model, eval_config=config(accuracy(upper=-0.9)))
    assert not found.validation.ok
    assert {check.slice for check in found.validation.checks} == {
        each.name for each in found.cross_slices
    }
    assert " above -0.9 in Overall vs. kind=k0 (36 examples)" in found.validation.failures()[0]
    write_evaluation(found, str(tmp_path))
    read = read_validation(str(tmp_path))
    assert len(read.metric_validations_per_slice) == 3
    assert all(each.HasField("cross_slice_key") for each in read.metric_validations_per_slice)
    (detail,) = read.validation_details.slicing_details
    assert (detail.HasField("cross_slicing_spec"), detail.num_matching_slices) == (True, 3)
    assert " above -0.9 in Overall vs. kind=k0" in failures(read)[0]
    assert evaluate(files, model=model, eval_config=config(accuracy(lower=-1))).validation.ok


def test_a_threshold_without_a_pair_of_slices_fails(files, model, config):
    none = {"baseline_spec": {"feature_values": {"kind": "no"}}, "slicing_specs": [KINDS]}
    given = config(accuracy(lower=-1, **none), compared=[none])
    found = evaluate(files, model=model, eval_config=given).validation
    assert not found.ok
    assert found.failures() == ["no slices to compare in kind=no vs. kind, which has a threshold"]


def test_too_small_a_slice_is_not_compared_and_fails_its_threshold(files, model, config):
    given = config(accuracy(lower=-1), options={"min_slice_size": 37})
    found = evaluate(files, model=model, eval_config=given)
    assert not any(each.metrics for each in found.cross_slices)
    assert "min_slice_size is 37" in found.validation.failures()[0]
    # The whole data set has its metrics whatever its size.
    small = config(options={"min_slice_size": 500})
    results = evaluate(files, model=model, eval_config=small).slices
    assert [bool(result.metrics) for result in results] == [True, False, False, False]


def test_comparisons_have_intervals_and_differences_to_the_baseline(
    files, model, worse_model, config
):
    given = config(options={"compute_confidence_intervals": True})
    found = evaluate(files, model=model, baseline=worse_model, eval_config=given)
    for each in found.cross_slices:
        keys = [MetricKey(ACCURACY, name) for name in ("candidate", "baseline")]
        diff = keys[0].diff()
        assert set(each.metrics) == set(each.intervals) == {*keys, diff}
        assert each.metrics[diff] == pytest.approx(each.metrics[keys[0]] - each.metrics[keys[1]])
        interval = each.intervals[keys[0]]
        assert interval.lower < each.metrics[keys[0]] < interval.upper


def test_what_is_not_evaluated_cannot_be_compared(config):
    sizes = {"baseline_spec": {}, "slicing_specs": [{"feature_keys": ["size"]}]}
    (problem,) = check_config(config(compared=[sizes]))
    assert str(problem).startswith(
        "cross_slicing_specs[0]: the slices size are not evaluated, so they cannot be compared."
    )
    (problem,) = check_config(config(accuracy(lower=0), compared=[]))
    assert "Overall vs. kind is not compared, so the model would never be blessed" in str(problem)
    given = config(accuracy(lower=0))
    del given["metrics_specs"][0]["metrics"][0]["cross_slice_thresholds"][0]["cross_slicing_specs"]
    (problem,) = check_config(given)
    assert "has no cross_slicing_specs" in str(problem)
