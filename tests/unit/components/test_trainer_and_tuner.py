"""Trainer and Tuner on modules written here: what they get, what they must write, what is named."""

import contextlib
import itertools
import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from penstock.artifacts import Examples, HyperParameters, Model, Schema
from penstock.components import Trainer, Tuner
from penstock.dsl import Resources, RuntimeParameter
from penstock.io import ExamplesWriter
from penstock.testing import ComponentFailed, run_component
from penstock.training import EvalArgs, TrainArgs, TuneArgs
from penstock.training.fn_args_from_artifacts import _patterns

SCHEMA = (
    'feature { name: "x" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 1 } } }\n'
)

TRAIN = """
import json, pathlib
import keras
from penstock.training import TensorFlowDatasetOptions, export_model
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

def run_fn(fn_args):
    schema = text_format.Parse(pathlib.Path(fn_args.schema_path).read_text(), schema_pb2.Schema())
    options = TensorFlowDatasetOptions(4, num_epochs=1)
    rows = sum(len(b["x"]) for b in fn_args.data_accessor.tf_dataset_factory(fn_args.train_files, options, schema))
    inputs = {"x": keras.Input((1,), name="x")}
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs["x"]))
    export_model(model, fn_args.serving_model_dir, schema=schema)
    folder = pathlib.Path(fn_args.model_run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seen.json").write_text(json.dumps({
        "rows": rows, "steps": fn_args.train_steps, "eval_steps": fn_args.eval_steps,
        "config": fn_args.custom_config, "values": fn_args.hyperparameter_values,
        "precision": keras.config.dtype_policy().name, "seed": fn_args.seed,
        "layer": model.layers[-1].name,
    }))
    return {"loss": [0.5, 0.25]}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema/schema.pbtxt").write_text(SCHEMA)
    with ExamplesWriter(str(tmp_path / "examples"), ["train", "eval"]) as writer:
        for split, rows in (("train", 10), ("eval", 3)):
            column = pa.array([[float(i)] for i in range(rows)], pa.large_list(pa.float32()))
            writer.write(split, pa.RecordBatch.from_arrays([column], ["x"]))
    return tmp_path


@pytest.fixture
def examples(project):
    found = Examples(str(project / "examples"))
    found.splits = ["train", "eval"]
    return found


# A module is imported once a process by its name.
_NUMBERS = itertools.count()


@pytest.fixture
def run(project, examples):
    def call(source: str, kind=Trainer, **arguments):
        name = f"user_module_{next(_NUMBERS)}"
        (project / f"{name}.py").write_text(source)
        component = kind(
            examples=examples,
            schema=Schema(str(project / "schema")),
            module_file=f"{name}.py",
            **arguments,
        )
        return run_component(component, project / "out", project_root=project, seed=5)

    return call


@pytest.mark.tensorflow
def test_run_fn_gets_its_arguments_and_its_outputs_are_kept(run, project):
    (project / "best").mkdir()
    (project / "best/best_hyperparameters.txt").write_text('{"space": [], "values": {"units": 3}}')
    outputs = run(
        TRAIN,
        train_args=TrainArgs(num_steps=7),
        hyperparameters=HyperParameters(str(project / "best")),
        custom_config={"a": [1]},
        precision="mixed_bfloat16",
    )
    assert os.path.isfile(f"{outputs['model'].uri}/Format-Serving/saved_model.pb")
    run_folder = Path(outputs["model_run"].uri)
    assert json.loads((run_folder / "seen.json").read_text()) == {
        "rows": 10,
        "steps": 7,
        "eval_steps": None,
        "config": {"a": [1]},
        "values": {"units": 3},
        "precision": "mixed_bfloat16",
        "seed": 5,
        "layer": "dense",
    }
    assert json.loads((run_folder / "history.json").read_text()) == {"loss": [0.5, 0.25]}
    drawn = {path.name for path in (run_folder / "training_curves").iterdir()}
    assert drawn == {"training_curves.png", "index.html"}


@pytest.mark.tensorflow
def test_a_result_without_numbers_costs_no_training(run, project):
    """What TFX ignores, Penstock keeps as far as it holds numbers."""
    result = '{"f1": [[0.1, 0.2], [0.3, 0.4]], "by": "me", "auc": None, "eval": {"acc": 0.5}}'
    outputs = run(TRAIN.replace('{"loss": [0.5, 0.25]}', result))
    history = json.loads(Path(outputs["model_run"].uri, "history.json").read_text())
    assert history == {"f1[0]": [0.1, 0.3], "f1[1]": [0.2, 0.4], "eval/acc": [0.5]}


@pytest.mark.tensorflow
def test_a_project_below_a_folder_with_brackets(project, monkeypatch):
    import tensorflow as tf

    root = project / "taxi [v2]"
    root.mkdir()
    monkeypatch.syspath_prepend(str(root))
    shutil.move(project / "examples", root / "examples")
    (root / "bracket_module.py").write_text(TRAIN)
    found = Examples(str(root / "examples"))
    found.splits = ["train", "eval"]
    trainer = Trainer(
        examples=found, schema=Schema(str(project / "schema")), module_file="bracket_module.py"
    )
    outputs = run_component(trainer, root / "out", project_root=root, seed=5)
    assert json.loads(Path(outputs["model_run"].uri, "seen.json").read_text())["rows"] == 10
    (pattern,) = _patterns(found, ["train"], "train_args")
    assert [Path(file) for file in tf.io.gfile.glob(pattern)] == list(
        (root / "examples/Split-train").iterdir()
    )


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        ("def run(fn_args): pass", {}, r"does not define run_fn\(fn_args\). Did you mean 'run'"),
        ("def run_fn(): pass", {}, r"must take one argument, fn_args. Received: def run_fn\(\)"),
        (
            "def run_fn(fn_args): pass",
            {},
            r"run_fn \(.*user_module_\d+.py, line 1\) exported no model",
        ),
        ("def run_fn(fn_args): raise KeyError('mine')", {}, "KeyError: 'mine'"),
        (
            "def run_fn(fn_args): pass",
            {"train_args": TrainArgs(["trian"])},
            "train_args names the split 'trian', which the examples at .* Splits: train, eval",
        ),
        (
            "def run_fn(fn_args): pass",
            {"eval_args": EvalArgs(["test"])},
            "eval_args names the split 'test'",
        ),
    ],
)
def test_what_is_wrong_is_named(run, source, arguments, message):
    with pytest.raises(ComponentFailed, match=message):
        run(source, **arguments)


WATCHED = """
import keras, numpy as np
from penstock.training import fit

def run_fn(fn_args):
    x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")])
    model.compile("sgd", "binary_crossentropy", jit_compile=False)
    fit(model, (x, (x[:, :1] > 0).astype("float32")), fn_args=fn_args)
"""


@pytest.mark.tensorflow
def test_what_the_training_doctor_finds_is_the_verdict_or_an_error(run, project):
    # It exports nothing, so that the verdict comes with the error.
    with pytest.raises(ComponentFailed, match="exported no model") as failed:
        run(WATCHED)
    assert failed.value.verdict.text == (
        "2 findings of the training doctor: loss-expects-probabilities, no-validation-data"
    )
    assert not failed.value.verdict.ok
    shutil.rmtree(project / "out")  # else it goes on from its checkpoint
    with pytest.raises(ComponentFailed, match="exported no model") as failed:
        run(WATCHED, doctor_ignore=["no-validation-data"])
    assert failed.value.verdict.text.endswith(": loss-expects-probabilities")
    shutil.rmtree(project / "out")
    with pytest.raises(ComponentFailed, match="TrainingDoctorError: .*layer 'head' ends in linear"):
        run(WATCHED, doctor="error")
    shutil.rmtree(project / "out")
    with pytest.raises(ComponentFailed) as failed:
        run(WATCHED, doctor="off")
    assert failed.value.verdict is None


def test_the_definition_is_checked(examples):
    with pytest.raises(ValueError, match=r"needs module_file .* or run_fn .* Received: neither"):
        Trainer(examples=examples)
    with pytest.raises(ValueError, match="Received: both"):
        Trainer(examples=examples, module_file="m.py", run_fn="m.run_fn")
    with pytest.raises(ValueError, match="Received: 'miror'. Did you mean 'mirrored'"):
        Trainer(examples=examples, module_file="m.py", distribution="miror")
    with pytest.raises(ValueError, match="Received: 'float31'"):
        Trainer(examples=examples, module_file="m.py", precision="float31")
    with pytest.raises(
        ValueError, match="doctor_ignore names 'dead-unit'.* Did you mean 'dead-units'"
    ):
        Trainer(examples=examples, module_file="m.py", doctor_ignore=["dead-unit"])
    with pytest.raises(ValueError, match="Tuner needs module_file"):
        Tuner(examples=examples)
    with pytest.raises(ValueError, match=r"one of \['none', 'mirrored'\]. Received: 'tpu'. TuneAr"):
        Tuner(examples=examples, module_file="m.py", distribution="tpu")
    with pytest.raises(ValueError, match="distribution='mirrored' works with backend='tensorfl"):
        Tuner(examples=examples, module_file="m.py", distribution="mirrored", backend="jax")


def test_a_process_of_its_own_is_asked_for_only_when_needed(examples):
    assert Trainer(examples=examples, module_file="m.py").worker_profile() == {}
    mirrored = Trainer(examples=examples, module_file="m.py", distribution="mirrored")
    assert mirrored.worker_profile() == {"distribution": "mirrored", "precision": "float32"}
    assert Tuner(examples=examples, module_file="m.py").worker_profile() == {}
    assert Tuner(examples=examples, module_file="m.py", backend="jax").worker_profile() == {
        "environment": {"KERAS_BACKEND": "jax"},
        "parallel": False,
    }
    late = RuntimeParameter("distribution", str, "none", "")
    Trainer(examples=examples, module_file="m.py", distribution=late)


TUNE = """
import keras_tuner
from penstock.tuning import TunerFnResult

class Search(keras_tuner.RandomSearch):
    def run_trial(self, trial, data):
        return {"score": trial.hyperparameters.Float("x", 0.0, 1.0) * len(data)}

def tuner_fn(fn_args):
    tuner = Search(
        objective=keras_tuner.Objective("score", "max"), max_trials=3, seed=fn_args.seed,
        directory=fn_args.working_dir, project_name="p",
    )
    return TunerFnResult(tuner, {"data": fn_args.train_files})
"""


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_tuners_best_hyperparameters_and_trials_are_kept(run):
    outputs = run(TUNE, kind=Tuner)
    folder = Path(outputs["best_hyperparameters"].uri)
    best = json.loads((folder / "best_hyperparameters.txt").read_text())
    trials = json.loads(Path(outputs["tuner_results"].uri, "tuner_results.json").read_text())
    assert len(trials) == 3
    assert best["values"] == trials[0]["hyperparameters"]
    assert trials[0]["score"] == max(trial["score"] for trial in trials)


@pytest.mark.tensorflow
def test_a_tuner_fn_that_returns_nothing_is_named(run):
    with pytest.raises(ComponentFailed, match="must return TunerFnResult"):
        run("def tuner_fn(fn_args): pass", kind=Tuner)


def test_a_base_model_may_be_a_plain_saved_model(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    assert Model(str(tmp_path)).serving_uri == str(tmp_path)
    (tmp_path / "Format-TFMA").mkdir()
    assert Model(str(tmp_path)).eval_uri == f"{tmp_path}/Format-TFMA"


def _train(fn_args): ...


@pytest.mark.parametrize(("kind", "parameter"), [(Trainer, "run_fn"), (Tuner, "tuner_fn")])
def test_a_function_by_its_name_is_the_function(examples, kind, parameter):
    from penstock.graph import compile_node

    by_name = kind(examples=examples, **{parameter: f"{__name__}._train"})
    itself = kind(examples=examples, **{parameter: _train})
    assert compile_node(by_name).parameters == compile_node(itself).parameters
    with pytest.raises(ValueError, match=f"{parameter} takes a function or its dotted name"):
        kind(examples=examples, **{parameter: "train"})


@pytest.mark.tensorflow
def test_run_fn_by_its_name(project, examples):
    (project / "named_training.py").write_text(TRAIN)
    component = Trainer(
        examples=examples,
        schema=Schema(str(project / "schema")),
        run_fn="named_training.run_fn",
        train_args=TrainArgs(num_steps=2),
    )
    outputs = run_component(component, project / "out", project_root=project)
    assert os.path.isfile(f"{outputs['model'].uri}/Format-Serving/saved_model.pb")


@pytest.mark.parametrize(
    ("trials", "resources", "said"),
    [
        (
            1,
            {"replicas": 2},
            r"set TuneArgs\(num_parallel_trials=2\). Received: replicas=2, num_para",
        ),
        (2, {"replicas": 2}, ""),
        (4, {}, ""),
        (2, {"parameter_servers": 1}, "A trial has no parameter servers"),
    ],
)
def test_replicas_of_a_tuner_are_its_parallel_trials(trials, resources, said):
    tuner = Tuner.bind(
        inputs={},
        outputs={},
        parameters={"module_file": "m.py", "tune_args": TuneArgs(num_parallel_trials=trials)},
        check=False,
    )
    with pytest.raises(ValueError, match=said) if said else contextlib.nullcontext():
        tuner.check_resources(Resources(**resources))
