"""Matrices of few rows at few thresholds, and of many slices."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.evaluation import evaluate
from penstock.evaluation.metrics.binary import _area
from penstock.evaluation.metrics.matrices import NUM_BUCKETS, MatrixSource
from penstock.io import ExamplesWriter, split_files


@settings(max_examples=60, deadline=None)
@given(
    buckets=st.sets(st.integers(0, NUM_BUCKETS + 1), max_size=12),
    num_thresholds=st.sampled_from([2, 5, 200, NUM_BUCKETS]),
    seed=st.integers(0, 100),
)
def test_areas_are_those_of_all_thresholds(buckets, num_thresholds, seed):
    random = np.random.default_rng(seed)
    weights = random.integers(0, 4, len(buckets)).astype(np.float64)
    labels = weights * random.random(len(buckets))
    state = (np.array(sorted(buckets), np.int64), np.stack([labels, labels, weights], axis=1))
    source = MatrixSource.of(None, num_thresholds)
    every, few = source.matrices(state), source.distinct_matrices(state)
    assert len(few.thresholds) <= len(buckets) + 2
    for curve in ("ROC", "PR"):
        for method in ("interpolation", "minoring", "majoring"):
            expected = _area(every, curve, method)
            assert _area(few, curve, method) == pytest.approx(expected, abs=1e-12, nan_ok=True)

    def distinct(m):
        return {tuple(row) for row in np.stack([m.tp, m.tn, m.fp, m.fn], axis=1).tolist()}

    assert distinct(every) == distinct(few)


def evaluated(folder, rows, metrics):
    """Rows of which two each are a slice, evaluated without a model."""
    random = np.random.default_rng(0)
    offsets = pa.array(np.arange(rows + 1), pa.int64())

    def lists(values):
        return pa.LargeListArray.from_arrays(offsets, pa.array(values))

    columns = {
        "id": lists(np.arange(rows) // 2),
        "y": lists(random.integers(0, 2, rows)),
        "p": lists(random.random(rows, np.float32)),
    }
    with ExamplesWriter(str(folder), ["eval"]) as writer:
        writer.write("eval", pa.RecordBatch.from_pydict(columns))
    config = {
        "model_specs": [{"label_key": "y", "prediction_key": "p"}],
        "slicing_specs": [{}, {"feature_keys": ["id"]}],
        "metrics_specs": [{"metrics": [{"class_name": name} for name in metrics]}],
    }
    return evaluate(split_files(str(folder), "eval"), model=None, eval_config=config)


def test_thousands_of_slices(tmp_path):
    found = evaluated(tmp_path, 6_000, ("ExampleCount", "AUC"))
    assert len(found.slices) == 3_001
    assert {result.num_examples for result in found.slices[1:]} == {2}


@pytest.mark.slow
def test_a_hundred_thousand_slices(tmp_path):
    """What is kept grows with the slices; an AUC costs what the slice's rows cost."""
    found = evaluated(tmp_path, 200_000, ("ExampleCount", "AUC", "BinaryAccuracy", "MeanLabel"))
    assert len(found.slices) == 100_001
    assert {result.num_examples for result in found.slices[1:]} == {2}
    areas = [
        result.metrics[key]
        for result in found.slices[1:50]
        for key in result.metrics
        if key.name == "auc"
    ]
    assert set(areas) <= {0.0, 0.5, 1.0}
