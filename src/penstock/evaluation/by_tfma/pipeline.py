"""The process in which TFMA evaluates: `python -m penstock.evaluation.by_tfma.pipeline < request.json`.

The request has `config` (an EvalConfig as JSON), `models` (folders by name), `files`, `output` (a folder)
and `modules` (files of modules by name). TFMA writes its files into the folder.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import pkgutil
import sys
import warnings
from collections.abc import Mapping
from typing import Any


def main() -> None:
    """Evaluate what the request on standard input asks for."""
    warnings.simplefilter("ignore")
    request = json.load(sys.stdin)
    for name, file in request["modules"].items():
        _load(name, file)
    evaluate(request)


def evaluate(request: Mapping[str, Any]) -> None:
    """Run TFMA's pipeline on Beam's runner in this process."""
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from google.protobuf import json_format
    from tensorflow_model_analysis import constants
    from tensorflow_model_analysis.api import model_eval_lib
    from tensorflow_model_analysis.proto import config_pb2
    from tfx_bsl.tfxio import tf_example_record

    _register_metrics()
    config = json_format.ParseDict(request["config"], config_pb2.EvalConfig())
    models = [
        model_eval_lib.default_eval_shared_model(path, eval_config=config, model_name=name)
        for name, path in request["models"].items()
    ]
    examples = tf_example_record.TFExampleRecord(
        file_pattern=request["files"], raw_record_column_name=constants.ARROW_INPUT_COLUMN
    )
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        batches = pipeline | "Read" >> examples.BeamSource()
        _ = batches | "Evaluate" >> model_eval_lib.ExtractEvaluateAndWriteResults(
            eval_config=config,
            eval_shared_model=models if len(models) > 1 else models[0],
            output_path=request["output"],
        )


def _register_metrics() -> None:
    """Import TFMA's modules of metrics: its package leaves some out, and they register themselves."""
    from tensorflow_model_analysis import metrics

    for module in pkgutil.iter_modules(metrics.__path__):
        if not module.name.endswith("_test"):
            importlib.import_module(f"{metrics.__name__}.{module.name}")


def _load(name: str, file: str) -> None:
    """Import a module from its file under a name, as the parent process knows it."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()
