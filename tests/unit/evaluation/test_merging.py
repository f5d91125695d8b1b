"""Any cut of the rows into batches and accumulations, pickled and merged, gives what one pass gives.

For every metric that can be asked for by name, so that a new one is held to it too.
"""

import json
import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.evaluation import EvalConfig, MetricConfig, MetricsSpec, ModelSpec, SlicingSpec
from penstock.evaluation.accumulation import Accumulation
from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.metrics.catalog import CATALOG, metric_names
from penstock.evaluation.plan import plan_metrics
from penstock.evaluation.resolve import resolve_config

REQUIRED = {"int": 1, "number": 0.5, "numbers": 0.5, "bool": True, "text": "x", "ints": [0]}
REQUIRED |= {"texts": ["features", "x"], "any": 1}
CLASSES = 3
SPECS = [SlicingSpec(), SlicingSpec(feature_keys=["kind"])]


class Inputs:
    """Labels and predictions, as a batch of a model gives them, and other things made of them."""

    def __init__(self, labels, predictions, weights):
        self.arrays = labels, predictions, weights
        self.inputs = MetricInputs(*self.arrays, source=self)

    def get(self, view):
        if not view.raw:
            return self.inputs
        lists = np.empty(len(self.arrays[0]), dtype=object)
        lists[:] = [np.atleast_1d(label) for label in self.arrays[0]]
        scores = self.arrays[1]
        predictions = scores if scores.dtype == object else np.zeros(len(lists))
        return MetricInputs(lists, predictions, self.arrays[2], source=self)

    def feature(self, name):
        lists = np.empty(len(self.arrays[0]), dtype=object)
        lists[:] = [np.array([weight]) for weight in self.arrays[2]]
        return lists

    def outputs(self, model_name):
        scores = self.arrays[1].reshape(len(self.arrays[1]), -1)
        classes = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
        return {"classes": classes, "scores": scores, "attributions/x": scores}

    def of_model(self, model_name, output_name):
        labels, predictions, weights = self.arrays
        return MetricInputs(labels, 1 - predictions, weights, source=self)


def some_rows(seed, count, shape):
    """Labels, predictions, weights, and a feature to slice by."""
    random = np.random.default_rng(seed)
    if shape == "text":
        words = np.array([b"a b c d e", b"a b c", b"d e f g h", b"c"], dtype=object)
        labels, predictions = (random.choice(words, count) for _ in range(2))
        return labels, predictions, np.ones(count), random.integers(0, 5, count)
    if shape == "binary":
        labels, predictions = random.integers(0, 2, count), random.random(count)
    elif shape == "dense":
        predictions = random.dirichlet([0.5] * CLASSES, count)
        labels = np.eye(CLASSES)[random.integers(0, CLASSES, count)]
    else:
        labels = random.integers(0, CLASSES, count)
        predictions = random.dirichlet([0.5] * CLASSES, count)
    weights = random.integers(0, 4, count).astype(np.float64)
    kinds = random.integers(0, 5, count)
    return labels, predictions.astype(np.float32), weights, kinds


def planned(name):
    """The plan of one metric, by its name, perhaps of the rows of queries."""
    name, _, of_queries = name.partition(" of ")
    declaration = CATALOG[name]
    arguments = {key: REQUIRED[declaration.arguments[key]] for key in declaration.required}
    if "rouge_type" in arguments:
        arguments["rouge_type"] = "rouge2"
    if "top_k_list" in declaration.arguments:
        arguments["top_k_list"] = [1, 2]
    metric = MetricConfig(class_name=name, config=json.dumps(arguments))
    query_key = "query" if declaration.ranks or of_queries else ""
    config = EvalConfig(
        model_specs=[ModelSpec(label_key="label", example_weight_key="weight")],
        metrics_specs=[MetricsSpec(metrics=[metric], query_key=query_key)],
        slicing_specs=SPECS,
    )
    return plan_metrics(resolve_config(config, has_baseline=declaration.compares))


def accumulate(metrics, rows, cuts):
    """One accumulation of rows, which are added batch by batch."""
    total = Accumulation(metrics, SPECS)
    for part in np.split(np.arange(len(rows[0])), cuts):
        if len(part):
            *arrays, kinds = (column[part] for column in rows)
            kind = pa.array([[value] for value in kinds.tolist()], pa.large_list(pa.int64()))
            total.add(Inputs(*arrays), pa.RecordBatch.from_arrays([kind], ["kind"]))
    return total


def values(metrics, total):
    """Every value by slice, as far as it can be compared."""
    found = {}
    for group, key in enumerate(total.slicer.keys):
        with np.errstate(all="ignore"):
            found[key] = [
                total.examples(group),
                *(comparable(total.value(m, group)) for m in metrics),
            ]
    return found


def comparable(value):
    if hasattr(value, "__dict__"):
        return {name: comparable(part) for name, part in vars(value).items()}
    if isinstance(value, tuple | list):
        return [comparable(part) for part in value]
    return value


def assert_equal(one, other):
    if isinstance(one, dict):
        assert set(one) == set(other)
        for key in one:
            assert_equal(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_equal(a, b)
    elif isinstance(one, float | np.ndarray):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    else:
        assert one == other


def shape_for(metrics):
    """The first kind of labels and predictions that a metric takes."""
    for shape in ("binary", "sparse", "dense", "text"):
        try:
            accumulate(metrics, some_rows(0, 8, shape), [])
        except ValueError:
            continue
        return shape
    raise AssertionError("it takes none of the rows")


@pytest.mark.parametrize("name", [*metric_names(), "AUC of queries", "MeanLabel of queries"])
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_merged_parts_are_the_whole(name, data):
    metrics = planned(name)
    shape = shape_for(metrics)
    count = data.draw(st.integers(1, 40))
    rows = some_rows(data.draw(st.integers(0, 1000)), count, shape)
    cuts = sorted(data.draw(st.lists(st.integers(0, count), max_size=4)))
    ends = sorted(data.draw(st.lists(st.integers(0, count), max_size=3)))
    parts = []
    for part in np.split(np.arange(count), ends):
        inner = [cut for cut in cuts if cut < len(part)]
        parts.append(accumulate(metrics, [column[part] for column in rows], inner))
    total = Accumulation(metrics, SPECS)
    for index in data.draw(st.permutations(range(len(parts)))):
        total.merge(pickle.loads(pickle.dumps(parts[index])))
    assert total.num_examples == count
    assert_equal(values(metrics, accumulate(metrics, rows, [])), values(metrics, total))
