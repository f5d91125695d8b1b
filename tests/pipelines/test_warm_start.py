"""Run after run, a Trainer begins where the latest blessed model ended."""

from pathlib import Path

import pytest

from penstock import LatestBlessedModel, LocalDagRunner, Pipeline, Resolver
from penstock.components import CsvExampleGen, Evaluator, SchemaGen, StatisticsGen, Trainer

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

MODULE = """
import keras
import numpy as np

from penstock.training import export_model, warm_start


def run_fn(fn_args):
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    with open(fn_args.schema_path) as file:
        schema = text_format.Parse(file.read(), schema_pb2.Schema())
    inputs = {"x": keras.Input((1,), name="x")}
    outputs = keras.layers.Dense(1, activation="sigmoid", name="head")(inputs["x"])
    model = keras.Model(inputs, outputs)
    report = warm_start(model, fn_args.base_model)
    kernel = float(model.get_layer("head").kernel.numpy()[0, 0])
    # What stands for training: a step from wherever it began.
    model.get_layer("head").kernel.assign([[3.0 if not report.taken else kernel + 1.0]])
    export_model(model, fn_args.serving_model_dir, schema=schema, label_key="y")
    return {"began_at": kernel, "warm": len(report.taken)}
"""


def test_the_second_run_is_warm(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "model.py").write_text(MODULE)
    (tmp_path / "data").mkdir()
    rows = "".join(f"{x / 10},{int(x > 0)}\n" for x in range(-50, 50))
    (tmp_path / "data" / "rows.csv").write_text(f"x,y\n{rows}")
    example_gen = CsvExampleGen(input_base="data")
    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"])
    schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"])
    blessed = Resolver(LatestBlessedModel()).with_id("blessed")
    trainer = Trainer(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        base_model=blessed.outputs["model"],
        module_file="modules/model.py",
    )
    threshold = {"value_threshold": {"lower_bound": 0.5}}
    evaluator = Evaluator(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        eval_config={
            "model_specs": [{"label_key": "y"}],
            "metrics_specs": [
                {"metrics": [{"class_name": "BinaryAccuracy", "threshold": threshold}]}
            ],
        },
    )
    nodes = [example_gen, statistics_gen, schema_gen, blessed, trainer, evaluator]
    runner = LocalDagRunner(progress="none")
    first = runner.run(Pipeline("warm", components=nodes), project_root=str(tmp_path))
    assert first["Trainer"].metrics["warm"] == 0
    assert not first["blessed"].outputs.get("model")
    second = runner.run(Pipeline("warm", components=nodes), project_root=str(tmp_path))
    assert second["blessed"].outputs["model"][0].id == first["Trainer"].outputs["model"][0].id
    assert second["Trainer"].metrics["warm"] == 1
    assert second["Trainer"].metrics["began_at"] == 3.0
    log = Path(second["Trainer"].log_path).read_text()
    assert "1 layer taken from" in log
    # Nothing but what the model began with has changed.
    assert second["SchemaGen"].outputs["schema"][0].id == first["SchemaGen"].outputs["schema"][0].id
