"""Comparisons of slices and models, small slices and outputs with weights of their own equal TFMA's."""

import importlib.util

import numpy as np
import pytest
from tests.unit.evaluation.test_against_tfma import assert_same_evaluation, numbers, run_tfma

from penstock.evaluation import (
    evaluate,
    read_cross_slice_metrics,
    read_metrics,
    read_validation,
    write_evaluation,
)
from penstock.evaluation.config import as_eval_config
from penstock.evaluation.keys import message_slice_name
from penstock.io import ExamplesWriter, read_record_batches, split_files

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow_model_analysis") is None,
        reason="TFMA is not installed",
    ),
]

CLASSES = {"label_key": "label", "prediction_key": "probabilities"}
KINDS = {"feature_keys": ["kind"]}
COMPARED = [
    {"baseline_spec": {}, "slicing_specs": [KINDS]},
    {"baseline_spec": {"feature_values": {"kind": "k1"}}},
]


@pytest.fixture(scope="module")
def data(files, tmp_path_factory) -> str:
    """The examples in one file."""
    root = str(tmp_path_factory.mktemp("data"))
    with ExamplesWriter(root, ["eval"]) as writer:
        for batch in read_record_batches(files):
            writer.write("eval", batch)
    (file,) = split_files(root, "eval")
    return file


def both(config, models, data, folder) -> tuple[str, str]:
    """Evaluate here and by TFMA; return the two folders."""
    config = as_eval_config(config)
    candidates = {name: path for name, path in models.items() if name != "baseline"}
    given = candidates if len(candidates) > 1 else next(iter(candidates.values()))
    result = evaluate([data], model=given, baseline=models.get("baseline"), eval_config=config)
    ours, theirs = str(folder / "ours"), str(folder / "tfma")
    write_evaluation(result, ours)
    run_tfma(config, models, data, theirs)
    return ours, theirs


def failures(folder) -> set:
    return {
        (
            message_slice_name(entry),
            failure.metric_key.name,
            failure.metric_key.is_diff,
            str(failure.metric_threshold),
            round(failure.metric_value.double_value.value, 5),
        )
        for entry in read_validation(folder).metric_validations_per_slice
        for failure in entry.failures
    }


def test_cross_slices_and_their_thresholds(data, model, worse_model, tmp_path):
    threshold = {
        "value_threshold": {"upper_bound": 0.0},
        "change_threshold": {"absolute": 0.0, "direction": "HIGHER_IS_BETTER"},
    }
    metrics = [
        {
            "class_name": "SparseCategoricalAccuracy",
            "cross_slice_thresholds": [
                {"cross_slicing_specs": [COMPARED[0]], "threshold": threshold}
            ],
        },
        {"class_name": "ExampleCount"},
        {"class_name": "MultiClassConfusionMatrixAtThresholds"},
    ]
    config = {
        "model_specs": [
            {"name": "candidate", **CLASSES},
            {"name": "baseline", "is_baseline": True, **CLASSES},
        ],
        "slicing_specs": [{}, KINDS],
        "cross_slicing_specs": COMPARED,
        "metrics_specs": [{"metrics": metrics, "model_names": ["candidate", "baseline"]}],
    }
    models = {"candidate": model, "baseline": worse_model}
    ours, theirs = both(config, models, data, tmp_path)
    mine, other = (
        {(one, two): values for one, two, values in read_cross_slice_metrics(folder)}
        for folder in (ours, theirs)
    )
    assert len(mine) == 6
    assert set(mine) == set(other)
    for pair, values in mine.items():
        assert set(values) == set(other[pair])
        for key, value in values.items():
            np.testing.assert_allclose(numbers(value), numbers(other[pair][key]), atol=1e-6)
    assert failures(ours) == failures(theirs)
    assert 0 < len(failures(ours)) < 6
    assert_same_evaluation(ours, theirs)


def test_small_slices(data, model, tmp_path):
    threshold = {"value_threshold": {"lower_bound": 0.1}}
    metrics = [{"class_name": "SparseCategoricalAccuracy", "threshold": threshold}]
    config = {
        "model_specs": [CLASSES],
        "slicing_specs": [{}, KINDS, {"feature_keys": ["kind", "size"]}],
        "metrics_specs": [{"metrics": metrics}],
        "options": {"min_slice_size": 36},
    }
    ours, theirs = both(config, {"": model}, data, tmp_path)
    mine, other = dict(read_metrics(ours)), dict(read_metrics(theirs))
    assert {key for key, values in mine.items() if values} == {
        key for key, values in other.items() if values
    }
    assert set(mine) == set(other)
    assert failures(ours) == failures(theirs)
    assert 0 < sum(not values for values in mine.values()) < len(mine)


def test_several_models_with_outputs_and_weights_of_their_own(data, model, worse_model, tmp_path):
    outputs = {
        "label_keys": {"positive": "positive", "value": "positive"},
        "example_weight_keys": {"positive": "weight", "value": "size"},
    }
    specs = [{"name": name, **outputs} for name in ("one", "two")]
    spec = {
        "metrics": [
            {"class_name": name} for name in ("MeanLabel", "MeanPrediction", "ExampleCount")
        ],
        "output_names": ["positive", "value"],
        "output_weights": {"positive": 1.0, "value": 3.0},
        "example_weights": {"weighted": True, "unweighted": True},
        "model_names": ["one", "two"],
    }
    config = {"model_specs": specs, "slicing_specs": [{}, KINDS], "metrics_specs": [spec]}
    ours, theirs = both(config, {"one": model, "two": worse_model}, data, tmp_path)
    assert assert_same_evaluation(ours, theirs) >= 4 * 2 * 3 * 2 * 2
