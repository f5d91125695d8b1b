"""A scikit-learn estimator goes the whole way: trained, evaluated, blessed, pushed, asked."""

import shutil
from pathlib import Path

import pytest

from penstock import LocalDagRunner, Pipeline
from penstock.components import (
    CsvExampleGen,
    Evaluator,
    ModelCard,
    Pusher,
    SchemaGen,
    StatisticsGen,
    Trainer,
)
from penstock.serving import load_model

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

MODULE = """
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from penstock.training import RecordBatchesOptions, export_estimator

FEATURES = ["bill_length_mm", "bill_depth_mm", "island"]


def run_fn(fn_args):
    options = RecordBatchesOptions(batch_size=100, num_epochs=1)
    tables = []
    for batch in fn_args.data_accessor.record_batch_factory(fn_args.train_files, options):
        columns = {name: batch.column(name).to_pylist() for name in (*FEATURES, "species")}
        tables.append(pd.DataFrame({n: [v[0] if v else None for v in c] for n, c in columns.items()}))
    table = pd.concat(tables)
    for name in ("island", "species"):
        table[name] = table[name].str.decode("utf-8")
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    encoding = make_column_transformer((encoder, ["island"]), remainder="passthrough")
    model = make_pipeline(encoding, HistGradientBoostingClassifier(max_iter=20, random_state=0))
    model.fit(table[FEATURES], table["species"])
    export_estimator(
        model, fn_args.serving_model_dir, feature_keys=FEATURES, label_key="species"
    )
    return {"accuracy": model.score(table[FEATURES], table["species"])}
"""


def test_from_rows_with_missing_values_to_a_pushed_model(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.penstock]\n")
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "forest.py").write_text(MODULE)
    data = Path(__file__).parents[2] / "data" / "penguins"
    shutil.copytree(data, tmp_path / "data" / "penguins")
    example_gen = CsvExampleGen(input_base="data/penguins")
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples)
    schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"])
    schema = schema_gen.outputs["schema"]
    trainer = Trainer(examples=examples, schema=schema, module_file="modules/forest.py")
    threshold = {"value_threshold": {"lower_bound": 0.9}}
    metric = {"class_name": "SparseCategoricalAccuracy", "threshold": threshold}
    evaluator = Evaluator(
        examples=examples,
        model=trainer.outputs["model"],
        schema=schema,
        eval_config={
            "model_specs": [{"label_key": "species"}],
            "metrics_specs": [{"metrics": [metric]}],
        },
    )
    pusher = Pusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination="served",
    )
    card = ModelCard(model=trainer.outputs["model"], evaluation=evaluator.outputs["evaluation"])
    nodes = [example_gen, statistics_gen, schema_gen, trainer, evaluator, pusher, card]
    result = LocalDagRunner(progress="none").run(
        Pipeline("forest", components=nodes), project_root=str(tmp_path)
    )
    assert result["Evaluator"].metrics["sparse_categorical_accuracy"] > 0.9
    assert "as scikit-learn estimator" in result["Pusher"].verdict.text
    rows = [
        {"bill_length_mm": 39.0, "bill_depth_mm": 18.0, "island": "Dream"},
        {"island": "Biscoe"},
    ]
    answers = load_model(tmp_path / "served").predict(rows)
    assert answers[0]["class_name"] == "Adelie"
    assert sum(answers[1]["probabilities"]) == pytest.approx(1.0)
