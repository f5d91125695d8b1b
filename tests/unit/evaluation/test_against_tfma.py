"""Each metric equals TensorFlow Model Analysis's, on the same model and examples.

TFMA runs in a process of its own: its import takes seconds, sets Keras 2, and warns.
"""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from google.protobuf import json_format

from penstock.evaluation import (
    evaluate,
    read_metrics,
    read_plots,
    read_validation,
    write_evaluation,
)
from penstock.evaluation.config import as_eval_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow_model_analysis") is None,
        reason="TFMA is not installed",
    ),
]

_RUN = """
import json, sys, warnings
warnings.simplefilter("ignore")
arguments = json.load(sys.stdin)
from apache_beam.options.pipeline_options import PipelineOptions
from google.protobuf import json_format
from tensorflow_model_analysis.api import model_eval_lib
from tensorflow_model_analysis.proto import config_pb2
config = json_format.ParseDict(arguments["config"], config_pb2.EvalConfig())
models = [
    model_eval_lib.default_eval_shared_model(
        path, eval_config=config, model_name=name
    )
    for name, path in arguments["models"].items()
]
if len(models) == 1:
    (models,) = models
model_eval_lib.run_model_analysis(
    eval_shared_model=models,
    eval_config=config,
    data_location=arguments["files"],
    output_path=arguments["output"],
    pipeline_options=PipelineOptions(["--runner=FnApiRunner"]),
)
"""
_LOAD = """
import json, sys, warnings
warnings.simplefilter("ignore")
from tensorflow_model_analysis.api import model_eval_lib
result = model_eval_lib.load_eval_result(sys.argv[1])
validation = model_eval_lib.load_validation_result(sys.argv[1])
print(json.dumps({
    "slices": len(result.slicing_metrics),
    "metrics": result.get_metrics_for_slice()["example_count"],
    "ok": validation.validation_ok,
}))
"""

BINARY = [
    "AUC",
    "AUCPrecisionRecall",
    "BalancedAccuracy",
    "BinaryAccuracy",
    "Calibration",
    "DiagnosticOddsRatio",
    "F1Score",
    "FallOut",
    "FalseDiscoveryRate",
    "FalseNegatives",
    "FalseOmissionRate",
    "FalsePositives",
    "FowlkesMallowsIndex",
    "Informedness",
    "Markedness",
    "MatthewsCorrelationCoefficient",
    "MeanLabel",
    "MeanPrediction",
    "MissRate",
    "NegativeLikelihoodRatio",
    "NegativePredictiveValue",
    "PositiveLikelihoodRatio",
    "Precision",
    "PredictedPositiveRate",
    "Prevalence",
    "Recall",
    "Specificity",
    "ThreatScore",
    "TrueNegatives",
    "TruePositives",
]
SLICES = [
    {},
    {"feature_keys": ["kind"]},
    {"feature_keys": ["size", "kind"]},
    {"feature_values": {"size": "2"}},
]


def spec(names, **more):
    configs = {
        "ConfusionMatrixAtThresholds": '{"thresholds": [0.2, 0.5]}',
        "PrecisionAtRecall": '{"recall": 0.7}',
        "RecallAtPrecision": '{"precision": 0.7}',
        "SensitivityAtSpecificity": '{"specificity": 0.7}',
        "SpecificityAtSensitivity": '{"sensitivity": 0.7}',
        "RecallAtFalsePositiveRate": '{"false_positive_rate": 0.2}',
        "SparseTopKCategoricalAccuracy": '{"k": 2}',
    }
    metrics = [{"class_name": name, "config": configs.get(name, "")} for name in names]
    return {"metrics": metrics, **more}


CONSTRAINED = [
    "PrecisionAtRecall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
    "RecallAtFalsePositiveRate",
]
# TFMA forgets the kind of average in these metrics' keys.
SUMS = ["Calibration", "MeanLabel", "MeanPrediction"]
PLOTS = ["CalibrationPlot", "ConfusionMatrixPlot"]
CLASSES = {"label_key": "label", "prediction_key": "probabilities"}
TWO_CLASSES = {"label_key": "positive", "prediction_key": "positive"}
WEIGHTED = {"example_weight_key": "weight"}
CASES = {
    "multi-class": (
        CLASSES,
        [
            spec(
                [
                    "ExampleCount",
                    "SparseCategoricalAccuracy",
                    "SparseCategoricalCrossentropy",
                    "SparseTopKCategoricalAccuracy",
                    "MultiClassConfusionMatrixPlot",
                ]
            ),
            spec([*BINARY, *CONSTRAINED, *PLOTS], binarize={"class_ids": {"values": [0, 2]}}),
        ],
    ),
    "averages": (
        CLASSES,
        [
            spec([n for n in BINARY if n not in SUMS], aggregate={"micro_average": True}),
            spec(BINARY[:8], aggregate={"macro_average": True, "class_weights": {0: 1, 2: 3}}),
            spec(["Precision", "Recall"], binarize={"top_k_list": {"values": [1, 2]}}),
            spec(["Precision", "Recall"], binarize={"k_list": {"values": [1, 2]}}),
        ],
    ),
    "weighted macro average": (
        CLASSES,
        [
            spec(
                ["Recall", "AUC"],
                aggregate={"weighted_macro_average": True, "class_weights": {0: 1, 1: 1, 2: 2}},
            )
        ],
    ),
    "binary": (
        TWO_CLASSES,
        [
            spec(
                [
                    "ExampleCount",
                    *BINARY,
                    *CONSTRAINED,
                    *PLOTS,
                    "BinaryCrossentropy",
                    "ConfusionMatrixAtThresholds",
                ]
            )
        ],
    ),
    "binary, weighted": (
        {**TWO_CLASSES, **WEIGHTED},
        [spec(["ExampleCount", *BINARY, *PLOTS, "BinaryCrossentropy"])],
    ),
    "regression, weighted": (
        {"label_key": "x", "prediction_key": "value", **WEIGHTED},
        [
            spec(
                [
                    "Calibration",
                    "MeanAbsoluteError",
                    "MeanAbsolutePercentageError",
                    "MeanLabel",
                    "MeanPrediction",
                    "MeanSquaredError",
                    "RootMeanSquaredError",
                    "SquaredPearsonCorrelation",
                ]
            )
        ],
    ),
    "micro averages of the best classes": (
        CLASSES,
        [
            spec(
                [
                    "Precision",
                    "Recall",
                    "BinaryAccuracy",
                    "F1Score",
                    "TruePositives",
                    "FalsePositives",
                ],
                aggregate={"micro_average": True, "top_k_list": {"values": [1, 2, 3]}},
            ),
            spec(
                ["Precision", "Recall", "AUC"],
                aggregate={"micro_average": True, "class_weights": {0: 1, 2: 2}},
            ),
        ],
    ),
    "counts among averages": (
        CLASSES,
        [
            spec(["ExampleCount", "Precision"], aggregate={"micro_average": True}),
            spec(
                ["ExampleCount", "Recall"],
                aggregate={"macro_average": True, "class_weights": {0: 1, 1: 1}},
            ),
            spec(
                ["ExampleCount", "MultiClassConfusionMatrixPlot"],
                binarize={"class_ids": {"values": [0, 1]}},
            ),
        ],
    ),
    "outputs and their mean": (
        {"label_keys": {"positive": "positive", "value": "positive"}},
        [
            spec(
                ["BinaryAccuracy", "ExampleCount", "MeanLabel", "Recall"],
                output_names=["positive", "value"],
                output_weights={"positive": 1.0, "value": 3.0},
            )
        ],
    ),
    "no label": (
        {"prediction_key": "positive", **WEIGHTED},
        [spec(["ExampleCount", "WeightedExampleCount"])],
    ),
    "class matrices, weighted": (
        {**CLASSES, **WEIGHTED},
        [
            {
                "metrics": [
                    {"class_name": "ExampleCount"},
                    {
                        "class_name": "MultiClassConfusionMatrixPlot",
                        "config": '"thresholds": [0.2, 0.5, 0.99]',
                    },
                ]
            }
        ],
    ),
    "one class only": (
        {"label_key": "one", "prediction_key": "positive"},
        [spec(["AUC", "Recall", "Specificity", "MeanLabel", "Calibration"])],
    ),
}


def numbers(value) -> np.ndarray:
    if isinstance(value, float | np.ndarray):
        return np.asarray(value, dtype=np.float64).reshape(-1)
    found: list[float] = []

    def walk(part) -> None:
        if isinstance(part, dict):
            for key in sorted(part):
                walk(part[key])
        elif isinstance(part, list):
            for each in part:
                walk(each)
        elif not isinstance(part, str):
            found.append(float(part))
        elif part in ("NaN", "Infinity", "-Infinity"):
            found.append(float(part.replace("Infinity", "inf")))

    walk(json_format.MessageToDict(value, always_print_fields_with_no_presence=True))
    return np.array(found)


def run_tfma(config, models, files, output) -> None:
    arguments = {
        "config": json_format.MessageToDict(config, preserving_proto_field_name=True),
        "models": models,
        "files": files,
        "output": output,
    }
    done = subprocess.run(
        [sys.executable, "-c", _RUN],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]


def assert_same_evaluation(ours: str, theirs: str) -> int:
    """Compare every metric and plot of every slice; return how many."""
    mine = {key: _as_tfma_names(values) for key, values in read_metrics(ours)}
    other = dict(read_metrics(theirs))
    assert set(mine) == set(other)
    count = 0
    for key in mine:
        assert set(mine[key]) == set(other[key]), key
        for metric, value in mine[key].items():
            np.testing.assert_allclose(
                numbers(value),
                numbers(other[key][metric]),
                rtol=0,
                atol=1e-6,
                err_msg=f"{key} {metric}",
            )
            count += 1
    plots, other_plots = dict(read_plots(ours)), dict(read_plots(theirs))
    assert set(plots) == set(other_plots)
    for key in plots:
        by_name = {str(name): plot for name, plot in other_plots[key]}
        assert {str(name) for name, _ in plots[key]} == set(by_name)
        for name, plot in plots[key]:
            np.testing.assert_allclose(
                numbers(plot), numbers(by_name[str(name)]), rtol=0, atol=1e-6, err_msg=str(name)
            )
            count += 1
    return count


def _as_tfma_names(values: dict) -> dict:
    """TFMA's keys call a weighted macro average a macro average."""
    weighted = "weighted_macro_average"
    return {
        replace(key, aggregation="macro_average") if key.aggregation == weighted else key: value
        for key, value in values.items()
    }


@pytest.fixture(scope="session")
def data(files, columns, tmp_path_factory) -> str:
    """The examples in one folder, with a label that is always 1."""
    import pyarrow as pa

    from penstock.io import ExamplesWriter, read_record_batches, split_files

    root = str(tmp_path_factory.mktemp("data"))
    with ExamplesWriter(root, ["eval"]) as writer:
        for batch in read_record_batches(files):
            ones = pa.array([[1]] * batch.num_rows, pa.large_list(pa.int64()))
            arrays, names = [*batch.columns, ones], [*batch.schema.names, "one"]
            writer.write("eval", pa.RecordBatch.from_arrays(arrays, names))
    (file,) = split_files(root, "eval")
    return file


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_metric_and_plot_equals_tfmas(case, data, model, tmp_path):
    model_spec, metrics_specs = case
    config = as_eval_config(
        {"model_specs": [model_spec], "slicing_specs": SLICES, "metrics_specs": metrics_specs}
    )
    write_evaluation(evaluate([data], model=model, eval_config=config), str(tmp_path / "ours"))
    run_tfma(config, {"": model}, data, str(tmp_path / "tfma"))
    assert assert_same_evaluation(str(tmp_path / "ours"), str(tmp_path / "tfma")) > 12


def test_a_baseline_and_its_thresholds_come_out_as_tfmas(data, model, worse_model, tmp_path):
    threshold = {
        "value_threshold": {"lower_bound": 0.65},
        "change_threshold": {"direction": "HIGHER_IS_BETTER", "absolute": 0.2},
    }
    per_slice = [
        {
            "slicing_specs": [{"feature_values": {"size": "2"}}],
            "threshold": {"value_threshold": {"lower_bound": 0.99}},
        }
    ]
    metrics = [
        {"class_name": "SparseCategoricalAccuracy", "threshold": threshold},
        {"class_name": "ExampleCount", "per_slice_thresholds": per_slice},
    ]
    config = as_eval_config(
        {
            "model_specs": [
                {"name": "candidate", **CLASSES},
                {"name": "baseline", "is_baseline": True, **CLASSES},
            ],
            "slicing_specs": SLICES,
            "metrics_specs": [{"metrics": metrics, "model_names": ["candidate", "baseline"]}],
        }
    )
    result = evaluate([data], model=model, baseline=worse_model, eval_config=config)
    write_evaluation(result, str(tmp_path / "ours"))
    models = {"candidate": model, "baseline": worse_model}
    run_tfma(config, models, data, str(tmp_path / "tfma"))
    assert_same_evaluation(str(tmp_path / "ours"), str(tmp_path / "tfma"))
    mine, theirs = (read_validation(str(tmp_path / name)) for name in ("ours", "tfma"))
    assert mine.validation_ok == theirs.validation_ok
    assert _failures(mine) == _failures(theirs)
    assert _details(mine) == _details(theirs)


def _failures(validation) -> set:
    return {
        (
            str(entry.slice_key),
            failure.metric_key.name,
            failure.metric_key.is_diff,
            str(failure.metric_threshold),
            round(failure.metric_value.double_value.value, 5),
        )
        for entry in validation.metric_validations_per_slice
        for failure in entry.failures
    }


def _details(validation) -> set:
    return {
        (str(detail.slicing_spec), detail.num_matching_slices)
        for detail in validation.validation_details.slicing_details
    }


def test_tfma_loads_what_is_written_here(data, model, tmp_path):
    config = as_eval_config(
        {
            "model_specs": [CLASSES],
            "slicing_specs": SLICES,
            "metrics_specs": [
                {
                    "metrics": [
                        {
                            "class_name": "ExampleCount",
                            "threshold": {"value_threshold": {"lower_bound": 1}},
                        },
                        {"class_name": "MultiClassConfusionMatrixPlot"},
                    ]
                }
            ],
        }
    )
    result = evaluate([data], model=model, eval_config=config)
    write_evaluation(result, str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, str(tmp_path)],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    loaded = json.loads(done.stdout.strip().splitlines()[-1])
    assert loaded == {
        "slices": len(result.slices),
        "metrics": {"doubleValue": 120.0},
        "ok": True,
    }
