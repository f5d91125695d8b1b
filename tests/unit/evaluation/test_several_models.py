import pytest

from penstock.evaluation import evaluate, read_metrics, write_evaluation
from penstock.evaluation.keys import MetricKey

pytestmark = pytest.mark.tensorflow

CLASSES = {"label_key": "label", "prediction_key": "probabilities"}
KEY = MetricKey("sparse_categorical_accuracy", "candidate")


def config(*specs, absolute=-0.05, **more):
    change = {"absolute": absolute, "direction": "HIGHER_IS_BETTER"}
    metric = {
        "class_name": "SparseCategoricalAccuracy",
        "threshold": {"change_threshold": change},
    }
    named = [{**CLASSES, **spec} for spec in specs or [{}]]
    return {"model_specs": named, "metrics_specs": [{"metrics": [metric]}], **more}


THREE = (
    {"name": "candidate"},
    {"name": "old", "is_baseline": True},
    {"name": "live", "is_baseline": True},
)


def test_a_change_is_from_each_of_several_baselines(files, model, worse_model, tmp_path):
    baselines = {"old": worse_model, "live": model}
    for given in (config(), config(*THREE)):
        found = evaluate(files, model=model, baseline=baselines, eval_config=given)
        metrics = found.slices[0].metrics
        assert metrics[KEY.diff()] == metrics[KEY] - metrics[KEY.of_model("old")] > 0
        assert metrics[KEY.diff("live")] == 0.0
        assert [check.baseline_name for check in found.validation.checks] == ["old", "live"]
        assert found.validation.ok
    worse = evaluate(files, model=worse_model, baseline=baselines, eval_config=config(*THREE))
    assert not worse.validation.ok
    (failure,) = worse.validation.failures()
    assert " from live's " in failure
    write_evaluation(worse, str(tmp_path))
    ((_, read),) = read_metrics(str(tmp_path))
    assert MetricKey("sparse_categorical_accuracy_vs_live", "candidate", is_diff=True) in read


def test_a_baseline_that_is_not_there_yet_is_left_out(files, model, worse_model):
    given = config(*THREE)
    found = evaluate(files, model=model, baseline={"live": worse_model}, eval_config=given)
    assert found.model_paths == {"candidate": model, "live": worse_model}
    assert len(found.validation.checks) == 1
    none = evaluate(files, model=model, baseline={}, eval_config=given)
    assert none.model_paths == {"": model}
    assert none.validation.dropped_change_thresholds


def test_several_candidates_have_models_by_name(files, model, worse_model):
    given = config({"name": "a"}, {"name": "b"}, {"name": "old", "is_baseline": True})
    models = {"a": model, "b": worse_model}
    found = evaluate(files, model=models, baseline=worse_model, eval_config=given)
    assert found.metrics() == found.metrics(model_name="a") != found.metrics(model_name="b")
    assert [check.change == 0.0 for check in found.validation.checks] == [False, True]


@pytest.mark.parametrize(
    ("given", "models", "message"),
    [
        (config(*THREE), {"baseline": "x"}, "There are several baselines .old, live.. Give their"),
        (config(*THREE), {"baseline": {"lvie": "x"}}, "No ModelSpec is named 'lvie'.*'live'"),
        (config(*THREE), {"model": {"b": "x"}}, "No ModelSpec is named 'b', which model has"),
        (
            config({"name": "a"}, {"name": "b"}),
            {"model": {"a": "x"}},
            "There is no model for the ModelSpec 'b'",
        ),
        (
            config({"name": "a"}, {"name": "b"}),
            {"baseline": "x"},
            "none of the ModelSpecs .a, b. has is_baseline=True",
        ),
    ],
)
def test_names_that_do_not_fit_are_told(files, model, given, models, message):
    with pytest.raises(ValueError, match=message):
        evaluate(files, eval_config=given, **{"model": model, **models})
