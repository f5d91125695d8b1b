"""An EvalConfig that cannot be is named at the user's line, by `check` and before a run, with what there is."""

import json

import pytest

from penstock.cli import main

FAULTS = {
    "a threshold on a metric that is not computed": (
        '"metrics_specs": [{"metrics": [{"class_name": "AUC"}], "thresholds": '
        '{"acu": {"value_threshold": {"lower_bound": 0.5}}}}]',
        "the metric 'acu' is not computed. Did you mean 'auc'? Computed: auc",
    ),
    "a metric that does not exist": (
        '"metrics_specs": [{"metrics": [{"class_name": "AUCs"}]}]',
        "There is no metric 'AUCs'. Did you mean 'AUC'?",
    ),
    "a field that would be ignored": (
        '"slicing_specs": [{"slice_keys_sql": "SELECT 1"}], '
        '"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]',
        "slices by SQL are not computed",
    ),
    "a field that does not exist": (
        '"metric_specs": [{"metrics": [{"class_name": "AUC"}]}]',
        "metric_specs",
    ),
    "a label that is no column": (
        '"model_specs": [{"label_key": "lte"}], '
        '"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]',
        "the label 'lte' is not a feature of the examples. Did you mean 'late'? "
        "Features: carrier, late, x",
    ),
    "a slice that is no column": (
        '"slicing_specs": [{"feature_keys": ["carier"]}], '
        '"metrics_specs": [{"metrics": [{"class_name": "AUC"}]}]',
        "the slicing feature 'carier' is not a feature of the examples. Did you mean 'carrier'?",
    ),
    "a threshold on slices that are not evaluated": (
        '"metrics_specs": [{"metrics": [{"class_name": "AUC", "per_slice_thresholds": [{'
        '"slicing_specs": [{"feature_keys": ["carrier"]}], '
        '"threshold": {"value_threshold": {"lower_bound": 0.5}}}]}]}]',
        "the slices carrier are not evaluated",
    ),
}
PIPELINE = """
from penstock.components import CsvExampleGen, Evaluator, Trainer
from penstock.dsl import Pipeline

gen = CsvExampleGen(input_base="flights")
trainer = Trainer(examples=gen.outputs["examples"], module_file="modules/model.py")
evaluator = Evaluator(
    examples=gen.outputs["examples"],
    model=trainer.outputs["model"],
    eval_config={{"model_specs": [{{"label_key": "late"}}], {config}}},
)
pipeline = Pipeline("flights", components=[gen, trainer, evaluator])
"""


@pytest.fixture
def flights(project):
    (project / "flights").mkdir()
    (project / "flights/flights.csv").write_text("late,carrier,x\n1,HA,0.5\n")
    (project / "modules/model.py").write_text("def run_fn(fn_args):\n    pass\n")
    return project


@pytest.mark.parametrize(("config", "message"), FAULTS.values(), ids=FAULTS)
def test_check_names_it_at_the_users_line(flights, capsys, config, message):
    if "model_specs" in config:
        text = PIPELINE.replace('"model_specs": [{{"label_key": "late"}}], ', "")
    else:
        text = PIPELINE
    (flights / "pipelines/flights.py").write_text(text.format(config=config))
    assert main(["check", "pipelines/flights.py", "--json"]) in (1, 2)
    told = capsys.readouterr()
    said = told.out + told.err
    if told.out.startswith("{"):
        said = (
            " ".join(each["message"] for each in json.loads(told.out).get("findings", ())) or said
        )
    assert message in said.replace("\\n", " ")
    assert main(["check", "pipelines/flights.py"]) in (1, 2)
    told = capsys.readouterr()
    # The line of the Evaluator.
    assert "flights.py:7" in told.out + told.err
    assert main(["run", "pipelines/flights.py", "--progress", "none"]) != 0
