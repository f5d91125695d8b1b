"""TFMA's own evaluation of rows that are given: run as a process of its own, with cases on standard input.

    python tfma_reference.py < cases.json > values.json

A case is `{"config": EvalConfig as JSON, "rows": [...]}`; a row has `features`, `label`, `prediction`,
`weight` and `attributions`, those of them that the metrics need. The answer has, for each case, the values by
slice and key as lists of numbers, or `{"error": text}`.
"""

import json
import os
import sys
import tempfile
import warnings


def canonical(messages, entries: str, value: str = "value") -> dict:
    """Return `{slice: {key: numbers}}` of a file's messages.

    Args:
        messages: `MetricsForSlice`, `PlotsForSlice` or `AttributionsForSlice` messages.
        entries: Their field of keys and values.
        value: The entries' field of the value.
    """
    from google.protobuf import json_format

    found: dict = {}
    for message in messages:
        slice_key = json.dumps(json_format.MessageToDict(message.slice_key), sort_keys=True)
        for entry in getattr(message, entries):
            key = json_format.MessageToDict(entry.key)
            if not key.get("exampleWeighted"):
                key.pop("exampleWeighted", None)
            name = json.dumps(key, sort_keys=True)
            if value == "values":
                numbers = {k: _numbers(v) for k, v in sorted(entry.values.items())}
                found.setdefault(slice_key, {})[name] = numbers
            else:
                found.setdefault(slice_key, {})[name] = _numbers(getattr(entry, value))
    return found


def _numbers(message) -> list:
    from google.protobuf import json_format

    shown = json_format.MessageToDict(message, always_print_fields_with_no_presence=True)
    found: list = []

    def walk(part) -> None:
        if isinstance(part, dict):
            for key in sorted(part):
                if key not in ("dataType", "shape"):
                    walk(part[key])
        elif isinstance(part, list):
            for each in part:
                walk(each)
        elif isinstance(part, str) and part not in ("NaN", "Infinity", "-Infinity"):
            found.append(part)
        else:
            found.append(float(str(part).replace("Infinity", "inf")))

    walk(shown)
    return found


def _array(values):
    import numpy as np

    if isinstance(values, dict):
        return {key: _array(each) for key, each in values.items()}
    if isinstance(values, list) and any(isinstance(each, str) for each in values):
        return np.array([each.encode() for each in values], dtype=object)
    array = np.array(values)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _extracts(row: dict) -> dict:
    names = {
        "features": "features",
        "label": "labels",
        "prediction": "predictions",
        "weight": "example_weights",
        "attributions": "attributions",
    }
    return {names[key]: _array(value) for key, value in row.items()}


def evaluate(case: dict) -> dict:
    """Return TFMA's values of a case."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from google.protobuf import json_format
    from tensorflow_model_analysis.evaluators import metrics_plots_and_validations_evaluator
    from tensorflow_model_analysis.extractors import slice_key_extractor
    from tensorflow_model_analysis.proto import config_pb2
    from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

    config = json_format.ParseDict(case["config"], config_pb2.EvalConfig())
    with tempfile.TemporaryDirectory() as root:
        paths = {name: os.path.join(root, name) for name in ("metrics", "plots", "attributions")}
        with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
            extracts = pipeline | beam.Create([_extracts(row) for row in case["rows"]])
            slicing = slice_key_extractor.SliceKeyExtractor(eval_config=config)
            sliced = extracts | slicing.ptransform
            module = metrics_plots_and_validations_evaluator
            evaluation = (
                sliced | module.MetricsPlotsAndValidationsEvaluator(eval_config=config).ptransform
            )
            write = writer.MetricsPlotsAndValidationsWriter(
                output_paths=paths, eval_config=config, output_file_format="tfrecord"
            )
            _ = {k: v for k, v in evaluation.items() if k != "validations"} | write.ptransform
        return {
            "metrics": canonical(
                writer.load_and_deserialize_metrics(root, "tfrecord"), "metric_keys_and_values"
            ),
            "plots": canonical(
                writer.load_and_deserialize_plots(root, "tfrecord"), "plot_keys_and_values"
            ),
            "attributions": canonical(
                writer.load_and_deserialize_attributions(root, "tfrecord"),
                "attributions_keys_and_values",
                "values",
            ),
        }


def main() -> None:
    """Evaluate the cases on standard input."""
    warnings.simplefilter("ignore")
    answers = {}
    for name, case in json.load(sys.stdin).items():
        try:
            answers[name] = evaluate(case)
        except Exception as error:
            answers[name] = {"error": f"{type(error).__name__}: {error}"[:2000]}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
