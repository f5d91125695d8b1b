"""Confidence intervals equal TensorFlow Model Analysis's, given the same buckets of rows."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
from google.protobuf import json_format

from penstock.evaluation import evaluate, write_evaluation
from penstock.evaluation.config import as_eval_config
from penstock.evaluation.intervals.resampling import Jackknife
from penstock.evaluation.keys import MetricKey, slice_key_from_proto
from penstock.evaluation.messages import message_class
from penstock.io import read_tfrecords, split_files

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow_model_analysis") is None,
        reason="TFMA is not installed",
    ),
]

# TFMA deals rows into buckets at random, each slice anew. Here it looks a row's bucket up by what the
# model predicts for it, which tells the rows apart.
_RUN = """
import json, sys, types, warnings
warnings.simplefilter("ignore")
arguments = json.load(sys.stdin)
import apache_beam as beam
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions
from google.protobuf import json_format
from tensorflow_model_analysis.api import model_eval_lib
from tensorflow_model_analysis.evaluators import jackknife
from tensorflow_model_analysis.proto import config_pb2

known, buckets = np.array(arguments["values"]), arguments["buckets"]

def bucket(element, count):
    (inputs,) = element[1]["_default_combiner_input"]
    prediction = inputs.prediction
    prediction = prediction.get("candidate", prediction)
    return buckets[int(np.abs(known - float(np.ravel(prediction["value"])[0])).argmin())]

shim = types.SimpleNamespace(**vars(beam))
shim.Partition = lambda _, count: beam.Partition(bucket, count)
jackknife.beam = shim
config = json_format.ParseDict(arguments["config"], config_pb2.EvalConfig())
for output in arguments["outputs"]:
    models = [
        model_eval_lib.default_eval_shared_model(path, eval_config=config, model_name=name)
        for name, path in arguments["models"].items()
    ]
    if "baseline" not in arguments["models"]:
        (models,) = models
    model_eval_lib.run_model_analysis(
        eval_shared_model=models,
        eval_config=config,
        data_location=arguments["files"],
        output_path=output,
        pipeline_options=PipelineOptions(["--runner=FnApiRunner"]),
    )
"""
CLASSES = {"label_key": "label", "prediction_key": "probabilities"}
POSITIVE = {"label_key": "positive", "prediction_key": "positive", "example_weight_key": "weight"}
SLICES = [
    {},
    {"feature_keys": ["kind"]},
    {"feature_keys": ["size", "kind"]},
    {"feature_keys": ["row"]},
]


@pytest.fixture(scope="module")
def data(files, columns, tmp_path_factory) -> str:
    """The examples in one file; `row` makes a slice of two rows, and one of one."""
    import pyarrow as pa

    from penstock.io import ExamplesWriter, read_record_batches

    root = str(tmp_path_factory.mktemp("data"))
    row = [[0], [0], [1]] + [[]] * 117
    batches = list(read_record_batches(files))
    table = pa.Table.from_batches(batches).combine_chunks()
    table = table.append_column("row", pa.array(row, pa.large_list(pa.int64())))
    with ExamplesWriter(root, ["eval"]) as writer:
        writer.write("eval", table.to_batches()[0])
    (file,) = split_files(root, "eval")
    return file


def run_tfma(config, models, file, columns, outputs) -> None:
    ids = np.arange(len(columns["x"]), dtype=np.uint64)
    arguments = {
        "config": json_format.MessageToDict(config, preserving_proto_field_name=True),
        "models": models,
        "files": file,
        "outputs": outputs,
        "values": [value for (value,) in columns["x"]],
        "buckets": Jackknife().buckets(ids).tolist(),
    }
    done = subprocess.run(
        [sys.executable, "-c", _RUN],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]


def read(folder: str) -> dict:
    """Every value and bound by slice and metric."""
    found = {}
    (file,) = split_records(folder)
    for record in read_tfrecords(file, compression=""):
        message = message_class("MetricsForSlice").FromString(record)
        for entry in message.metric_keys_and_values:
            key = (slice_key_from_proto(message.slice_key), MetricKey.from_proto(entry.key))
            found[key] = entry
    return found


def split_records(folder: str) -> list[str]:
    from pathlib import Path

    return [str(file) for file in Path(folder).glob("metrics-*.tfrecord")]


def numbers(message) -> np.ndarray:
    from tests.unit.evaluation.test_against_tfma import numbers as of_message

    return of_message(message)


def assert_same_intervals(ours: str, theirs: str) -> int:
    mine, other = read(ours), read(theirs)
    assert set(mine) == set(other)
    count = 0
    for key, entry in mine.items():
        assert entry.HasField("confidence_interval") == other[key].HasField(
            "confidence_interval"
        ), key
        if entry.value.WhichOneof("type") == "bytes_value":
            assert entry.value.bytes_value == other[key].value.bytes_value
            continue
        for field in ("value", "confidence_interval"):
            np.testing.assert_allclose(
                numbers(getattr(entry, field)),
                numbers(getattr(other[key], field)),
                rtol=1e-6,
                atol=1e-6,
                err_msg=f"{key} {field}",
            )
        count += entry.HasField("confidence_interval")
    return count


# A pipeline of TFMA with 20 samples has many hundred stages and takes minutes, so there are few of them.
CASES = {
    "binary, weighted": (
        POSITIVE,
        False,
        [
            {
                "metrics": [
                    {"class_name": "AUC"},
                    {"class_name": "BinaryAccuracy"},
                    {"class_name": "BinaryCrossentropy"},
                    {"class_name": "Calibration"},
                    {
                        "class_name": "ConfusionMatrixAtThresholds",
                        "config": '"thresholds": [0.2, 0.5]',
                    },
                    {"class_name": "ExampleCount"},
                    {"class_name": "F1Score"},
                    {"class_name": "MeanPrediction"},
                    {"class_name": "Recall"},
                    {"class_name": "WeightedExampleCount"},
                ]
            }
        ],
    ),
    "classes and averages, with a baseline": (
        CLASSES,
        True,
        [
            {
                "metrics": [
                    {"class_name": "SparseCategoricalAccuracy"},
                    {"class_name": "MultiClassConfusionMatrixAtThresholds"},
                ]
            },
            {
                "metrics": [
                    {"class_name": "Recall"},
                    {"class_name": "AUC"},
                    {"class_name": "ExampleCount"},
                ],
                "aggregate": {"macro_average": True, "class_weights": {0: 1, 2: 3}},
            },
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_jackknife_intervals_equal_tfmas(case, data, columns, model, worse_model, tmp_path):
    model_spec, has_baseline, metrics_specs = case
    specs, models = [model_spec], {"": model}
    if has_baseline:
        specs = [
            {"name": "candidate", **model_spec},
            {"name": "baseline", "is_baseline": True, **model_spec},
        ]
        models = {"candidate": model, "baseline": worse_model}
        names = ["candidate", "baseline"]
        metrics_specs = [{**spec, "model_names": names} for spec in metrics_specs]
    config = as_eval_config(
        {
            "model_specs": specs,
            "slicing_specs": SLICES,
            "metrics_specs": metrics_specs,
            "options": {
                "compute_confidence_intervals": True,
                "confidence_intervals": {"method": "JACKKNIFE"},
            },
        }
    )
    baseline = worse_model if has_baseline else None
    result = evaluate([data], model=model, baseline=baseline, eval_config=config)
    write_evaluation(result, str(tmp_path / "ours"))
    run_tfma(config, models, data, columns, [str(tmp_path / "tfma")])
    assert assert_same_intervals(str(tmp_path / "ours"), str(tmp_path / "tfma")) > 20
