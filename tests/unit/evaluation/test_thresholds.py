import json

import pytest

from penstock.evaluation.config import as_eval_config
from penstock.evaluation.engine import SliceResult
from penstock.evaluation.keys import MetricKey
from penstock.evaluation.resolve import resolve_config
from penstock.evaluation.thresholds import check_thresholds, planned_thresholds

MEAN = "mean_label"
DREAM = (("island", "Dream"),)


def config(threshold=None, **spec):
    metric = {"class_name": "MeanLabel"}
    if threshold is not None:
        metric["threshold"] = threshold
    metric.update(spec.pop("metric", {}))
    return as_eval_config({"metrics_specs": [{"metrics": [metric], **spec}]})


def check(requested, values, baseline=None):
    """Checks thresholds on given values of the metric by slice."""
    resolved = resolve_config(requested, has_baseline=baseline is not None)
    planned = planned_thresholds(resolved)
    slices = []
    for key, value in values.items():
        model = "candidate" if baseline is not None else ""
        metrics = {MetricKey(MEAN, model): value}
        if baseline is not None:
            metrics[MetricKey(MEAN, "baseline")] = baseline[key]
            metrics[MetricKey(MEAN, model, is_diff=True)] = value - baseline[key]
        slices.append(SliceResult(key, 10, metrics))
    return check_thresholds(resolved, requested, planned, slices)


@pytest.mark.parametrize(
    ("bounds", "value", "ok"),
    [
        ({"lower_bound": 0.9}, 0.9, True),
        ({"lower_bound": 0.9}, 0.8999, False),
        ({"upper_bound": 0.5}, 0.5, True),
        ({"upper_bound": 0.5}, 0.51, False),
        ({"lower_bound": 0.2, "upper_bound": 0.5}, 0.3, True),
        ({"lower_bound": 0.2}, float("nan"), False),
    ],
)
def test_a_value_threshold_bounds_the_value(bounds, value, ok):
    validation = check(config({"value_threshold": bounds}), {(): value})
    assert validation.ok is ok
    assert validation.checks[0].bounds == {k.split("_")[0]: v for k, v in bounds.items()}


@pytest.mark.parametrize(
    ("change", "value", "baseline", "ok"),
    [
        ({"absolute": -0.1, "direction": "HIGHER_IS_BETTER"}, 0.75, 0.8, True),
        ({"absolute": -0.1, "direction": "HIGHER_IS_BETTER"}, 0.65, 0.8, False),
        ({"absolute": 0.1, "direction": "LOWER_IS_BETTER"}, 0.85, 0.8, True),
        ({"absolute": 0.1, "direction": "LOWER_IS_BETTER"}, 0.95, 0.8, False),
        ({"relative": 0.1, "direction": "HIGHER_IS_BETTER"}, 0.9, 0.8, True),
        ({"relative": 0.1, "direction": "HIGHER_IS_BETTER"}, 0.85, 0.8, False),
        # Nothing can be said of a change relative to nothing.
        ({"relative": 0.1, "direction": "HIGHER_IS_BETTER"}, 0.85, 0.0, False),
        ({"absolute": 0.0, "relative": 0.2, "direction": "HIGHER_IS_BETTER"}, 0.9, 0.8, False),
    ],
)
def test_a_change_threshold_compares_with_the_baseline(change, value, baseline, ok):
    validation = check(config({"change_threshold": change}), {(): value}, {(): baseline})
    assert validation.ok is ok
    (only,) = validation.checks
    assert (only.value, only.baseline, only.kind) == (value, baseline, "change")
    assert only.change == pytest.approx(value - baseline)
    assert f"from the baseline's {baseline:g}" in only.to_dict()["reason"]


def test_without_a_baseline_change_thresholds_fall_away_and_it_is_said():
    change = {"absolute": -0.1, "direction": "HIGHER_IS_BETTER"}
    validation = check(config({"change_threshold": change}), {(): 0.1})
    assert validation.ok
    assert validation.dropped_change_thresholds
    assert validation.reasons() == ["without a baseline, change thresholds were not checked"]


def test_a_threshold_applies_to_every_slice_and_says_where_it_failed():
    requested = config({"value_threshold": {"lower_bound": 0.9}})
    validation = check(requested, {(): 0.95, DREAM: 0.5})
    assert [c.passed for c in validation.checks] == [True, False]
    assert validation.reasons() == ["mean_label 0.5 below 0.9 in island=Dream (10 examples)"]
    assert validation.to_dict()["checks"][1]["slice_key"] == [["island", "Dream"]]


def test_a_threshold_of_a_slice_applies_there_only():
    per_slice = [
        {
            "slicing_specs": [{"feature_keys": ["island"]}],
            "threshold": {"value_threshold": {"lower_bound": 0.9}},
        }
    ]
    requested = config(metric={"per_slice_thresholds": per_slice})
    assert check(requested, {(): 0.1, DREAM: 0.95}).ok
    assert not check(requested, {(): 0.95, DREAM: 0.1}).ok
    missing = check(requested, {(): 0.95})
    assert not missing.ok
    assert missing.reasons() == ["no example in island, which has a threshold"]


def test_thresholds_may_stand_in_the_spec_by_name():
    bound = {"value_threshold": {"lower_bound": 0.9}}
    assert not check(config(thresholds={MEAN: bound}), {(): 0.5}).ok
    per_slice = {MEAN: {"thresholds": [{"slicing_specs": [{}], "threshold": bound}]}}
    assert not check(config(per_slice_thresholds=per_slice), {(): 0.5}).ok


def test_equal_thresholds_count_once():
    bound = {"value_threshold": {"lower_bound": 0.9}}
    validation = check(config(bound, thresholds={MEAN: bound}), {(): 0.95})
    assert len(validation.checks) == 1


def test_without_thresholds_nothing_vouches_for_the_model():
    validation = check(config(), {(): 0.95})
    assert not validation.ok
    assert validation.missing_thresholds
    assert validation.reasons() == ["no threshold is set"]


def test_a_value_that_is_no_number_fails_and_is_json():
    validation = check(config({"value_threshold": {"lower_bound": 0.2}}), {(): float("nan")})
    assert not validation.ok
    (found,) = json.loads(json.dumps(validation.to_dict(), allow_nan=False))["checks"]
    assert found["value"] is None
    assert found["reason"] == "mean_label is not a number (allowed: at least 0.2)"


def test_a_slice_without_metrics_fails_with_its_reason():
    requested = config({"value_threshold": {"lower_bound": 0.0}})
    resolved = resolve_config(requested, has_baseline=False)
    planned = planned_thresholds(resolved)
    validation = check_thresholds(
        resolved, requested, planned, [SliceResult((), 3, error="too small")]
    )
    assert validation.reasons() == ["mean_label has no single value: too small"]


def test_models_are_resolved_as_tfma_does():
    requested = as_eval_config({"model_specs": [{"name": "m", "label_key": "y"}]})
    alone = resolve_config(requested, has_baseline=False)
    assert [s.name for s in alone.model_specs] == [""]
    both = resolve_config(requested, has_baseline=True)
    assert [(s.name, s.is_baseline) for s in both.model_specs] == [
        ("candidate", False),
        ("baseline", True),
    ]
    assert both.model_specs[1].label_key == "y"
    assert requested.model_specs[0].name == "m"
    named = as_eval_config({"model_specs": [{"name": "a"}, {"name": "b", "is_baseline": True}]})
    assert [s.name for s in resolve_config(named, has_baseline=True).model_specs] == ["a", "b"]
    assert len(resolve_config(named, has_baseline=False).model_specs) == 1
