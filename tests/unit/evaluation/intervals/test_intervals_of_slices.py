import numpy as np
import pytest

from penstock.evaluation import evaluate
from penstock.evaluation.intervals.resampling import Jackknife
from penstock.evaluation.keys import MetricKey

pytestmark = pytest.mark.tensorflow

ACCURACY = "sparse_categorical_accuracy"
METRICS = [{"class_name": "SparseCategoricalAccuracy"}, {"class_name": "ExampleCount"}]
SLICES = [{}, {"feature_keys": ["kind"]}]


@pytest.fixture
def config(by_class):
    def make(method="JACKKNIFE", metrics=METRICS, **more):
        options = {"compute_confidence_intervals": True, "confidence_intervals": {"method": method}}
        return by_class(*metrics, **{"slicing_specs": SLICES, "options": options, **more})

    return make


def test_a_jackknife_interval_comes_from_metrics_without_one_bucket(
    files, model, config, expected_accuracy
):
    found = evaluate(files, model=model, eval_config=config()).metrics()[ACCURACY]
    # Two files of 60 rows: a row is known by its file and its place there.
    ids = np.concatenate(
        [np.arange(60, dtype=np.uint64) + (np.uint64(f) << np.uint64(40)) for f in (0, 1)]
    )
    buckets = Jackknife().buckets(ids)
    samples = np.array([expected_accuracy(np.flatnonzero(buckets != i)) for i in range(20)])
    pseudo = 20 * found - 19 * samples
    error = pseudo.std(ddof=1) / 20**0.5
    assert found == pytest.approx(expected_accuracy(np.arange(120)))
    assert found.interval.standard_error == pytest.approx(error)
    assert found.interval.lower == pytest.approx(samples.mean() - 2.093024054408263 * error)
    assert found.interval.upper == pytest.approx(samples.mean() + 2.093024054408263 * error)


@pytest.mark.parametrize("method", ["JACKKNIFE", "POISSON_BOOTSTRAP"])
def test_intervals_depend_on_the_seed_and_not_on_batches(method, files, model, config):
    plain = evaluate(files, model=model, eval_config={**config(), "options": {}})
    one = evaluate(files, model=model, eval_config=config(method))
    small = evaluate(files, model=model, eval_config=config(method), batch_size=7)
    other = evaluate(files, model=model, eval_config=config(method), seed=1)
    assert len(one.slices) == 4
    for result, same, differs, without in zip(
        one.slices, small.slices, other.slices, plain.slices, strict=True
    ):
        (key,) = result.intervals
        assert key.name == ACCURACY
        assert result.metrics == pytest.approx(without.metrics)
        assert without.intervals == {}
        interval, again = result.intervals[key], same.intervals[key]
        assert interval.lower == pytest.approx(again.lower, abs=1e-12)
        assert interval.lower < result.metrics[key] < interval.upper
        assert interval.lower != differs.intervals[key].lower


def test_the_two_methods_agree_but_for_chance(files, model, config):
    errors = []
    for method in ("JACKKNIFE", "POISSON_BOOTSTRAP"):
        found = evaluate(files, model=model, eval_config=config(method)).metrics()[ACCURACY]
        errors.append(found.interval.standard_error)
    # A standard error of 19 degrees of freedom is off by 16 % or so.
    assert errors[0] == pytest.approx(errors[1], rel=0.6)


def test_differences_to_the_baseline_have_intervals(files, model, worse_model, config):
    found = evaluate(files, model=model, baseline=worse_model, eval_config=config())
    key = MetricKey(ACCURACY, "candidate", is_diff=True)
    interval = found.slices[0].intervals[key]
    assert interval.lower < found.slices[0].metrics[key] < interval.upper
    same = evaluate(files, model=model, baseline=model, eval_config=config())
    assert same.slices[0].intervals[key].standard_error == 0.0


def test_a_slice_in_one_bucket_has_no_intervals_and_says_so(files, model, config):
    given = config(slicing_specs=[{"feature_keys": ["x"]}])
    found = evaluate(files, model=model, eval_config=given).slices[0]
    assert found.intervals == {}
    assert found.interval_error == (
        "CI not computed because only 19 samples were non-empty. Expected 20."
    )
    given = config("POISSON_BOOTSTRAP", slicing_specs=[{"feature_keys": ["x"]}])
    found = evaluate(files, model=model, eval_config=given).slices[0]
    assert found.interval_error == ""
    assert len(found.intervals) == 1


def test_a_metric_of_ones_own_has_an_interval(files, model, config):
    from types import ModuleType

    from penstock.evaluation import Metric

    class Share(Metric):
        def __init__(self) -> None:
            self.positive = self.rows = 0.0

        def add(self, labels, predictions, weights) -> None:
            self.positive += float((labels > 0).sum())
            self.rows += len(labels)

        def merge(self, other) -> None:
            self.positive += other.positive
            self.rows += other.rows

        def result(self) -> float:
            return self.positive / self.rows

    module = ModuleType("own")
    module.Share = Share
    metric = {"class_name": "Share", "module": "own"}
    # A sample of a slice of one row is often empty, and then the division fails.
    slices = [{}, {"feature_keys": ["x"]}]
    for method in ("JACKKNIFE", "POISSON_BOOTSTRAP"):
        given = config(method, [metric], slicing_specs=slices)
        found = evaluate(files, model=model, eval_config=given, modules={"own": module})
        share = found.metrics()["share"]
        assert share.interval.lower < share < share.interval.upper


def test_queries_come_into_buckets_whole(files, model, config):
    given = config(
        metrics=[{"class_name": "NDCG", "config": '"gain_key": "weight", "top_k_list": [3]'}]
    )
    given["model_specs"] = [{"label_key": "positive", "prediction_key": "positive"}]
    given["metrics_specs"][0]["query_key"] = "label"
    found = evaluate(files, model=model, eval_config={**given, "slicing_specs": []}).slices[0]
    (interval,) = found.intervals.values()
    # Three queries: most samples hold them all, and three of them hold two.
    ((key, value),) = found.metrics.items()
    assert key.name == "ndcg"
    assert interval.lower < value < interval.upper
    bootstrap = {"compute_confidence_intervals": True}
    bootstrap["confidence_intervals"] = {"method": "POISSON_BOOTSTRAP"}
    with pytest.raises(ValueError, match="set the method to JACKKNIFE for ranking metrics"):
        evaluate(files, model=model, eval_config={**given, "options": bootstrap})
