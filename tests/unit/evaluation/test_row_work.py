"""The same result for any number of processes and threads, and where the work was pickled."""

import pickle
import sys

import numpy as np
import pytest

from penstock.evaluation import evaluate, row_work
from penstock.evaluation.config import as_eval_config
from penstock.evaluation.resolve import resolve_config
from penstock.evaluation.row_work import RowInput, RowWork

pytestmark = pytest.mark.tensorflow

METRICS = ("AUC", "Recall", "MeanLabel", "ExampleCount", "CalibrationPlot")


def plain(value):
    return {k: plain(v) for k, v in vars(value).items()} if hasattr(value, "__dict__") else value


def values(evaluation):
    return {
        (result.key, key): plain(value)
        for result in evaluation.slices
        for key, value in {**result.metrics, **result.plots}.items()
    }


def assert_identical(one, other):
    assert list(one) == list(other)
    for key in one:
        np.testing.assert_equal(one[key], other[key])


@pytest.fixture
def config(by_class):
    made = by_class(
        *({"class_name": name} for name in METRICS),
        slicing_specs=[{}, {"feature_keys": ["kind"]}, {"feature_keys": ["kind", "size"]}],
    )
    made["model_specs"] = [
        {"label_key": "positive", "prediction_key": "positive", "example_weight_key": "weight"}
    ]
    return made


@pytest.mark.processes
def test_the_number_of_processes_and_threads_does_not_matter(files, model, config, monkeypatch):
    monkeypatch.setattr("penstock.evaluation.blocks.BLOCKS_A_PART", 2)

    def values_with(processes, threads):
        monkeypatch.setattr(row_work, "_MOST_THREADS", threads)
        given = {"model": model, "eval_config": config, "batch_size": 11}
        return values(evaluate(files, accumulate=lambda work: work.here(processes), **given))

    one = values_with(1, 1)
    assert_identical(one, values_with(1, 3))
    assert_identical(one, values_with(2, 2))


def test_work_is_made_anew_in_another_process(files, model, config):
    resolved = resolve_config(as_eval_config(config), has_baseline=False)
    work = RowWork(resolved, RowInput(files, {"": model}))
    work.check()
    sent = pickle.dumps(work)
    assert pickle.loads(sent) is work
    here = work.here()
    row_work._made.clear()
    elsewhere = pickle.loads(sent)
    assert elsewhere is not work
    assert pickle.loads(sent) is elsewhere
    there = elsewhere.here()
    assert there.num_examples == here.num_examples == 120
    assert there.slicer.keys == here.slicer.keys
    row_work._latest.clear()


def test_a_metric_of_the_main_module_stays_in_this_process(files, model, by_class, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "Mean", _mean_metric(), raising=False)
    config = by_class({"class_name": "Mean", "module": "__main__"})
    config["model_specs"][0]["prediction_key"] = "value"
    one = evaluate(files, model=model, eval_config=config)
    two = evaluate(files, model=model, eval_config=config, accumulate=lambda work: work.here(2))
    assert one.metrics() == two.metrics()


def _mean_metric():
    from penstock.evaluation import Metric

    class Mean(Metric):
        def __init__(self):
            self.total = self.rows = 0.0

        def add(self, labels, predictions, weights):
            self.total += predictions.sum()
            self.rows += len(predictions)

        def merge(self, other):
            self.total += other.total
            self.rows += other.rows

        def result(self):
            return self.total / self.rows

    return Mean
