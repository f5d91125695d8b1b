"""From a model to its verdict, its push and its card."""

import json
import os
import shutil
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest

from penstock.artifacts import (
    Examples,
    HyperParameters,
    InfraBlessing,
    Model,
    ModelBlessing,
    ModelEvaluation,
    PushedModel,
    Schema,
)
from penstock.components import Evaluator, ModelCard, Pusher
from penstock.evaluation import read_checks
from penstock.evaluation.class_names import read_class_names
from penstock.evaluation.worst_rows import read_worst_rows
from penstock.io import ExamplesWriter
from penstock.pushing import Filesystem, PushDestination, list_versions, read_manifest
from penstock.serving import load_model
from penstock.testing import ComponentFailed, run_component

pytestmark = pytest.mark.tensorflow


def config(bound: float, change: float | None = None) -> dict:
    threshold: dict = {"value_threshold": {"lower_bound": bound}}
    if change is not None:
        threshold["change_threshold"] = {"absolute": change, "direction": "HIGHER_IS_BETTER"}
    metrics = [
        {"class_name": "BinaryAccuracy", "threshold": threshold},
        {"class_name": "ExampleCount"},
        {"class_name": "CalibrationPlot"},
    ]
    return {
        "model_specs": [{"label_key": "label"}],
        "slicing_specs": [{}, {"feature_keys": ["kind"]}],
        "metrics_specs": [{"metrics": metrics}],
    }


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Model:
    """Says yes for a positive `x`."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples):
        row = tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})
        return {"probability": tf.sigmoid(row["x"])}

    root = tmp_path_factory.mktemp("model")
    tf.saved_model.save(tf.Module(), f"{root}/Format-Serving", {"serving_default": serve})
    return Model(str(root), id=7)


@pytest.fixture(scope="module")
def examples(tmp_path_factory) -> Examples:
    """In `test` nine of ten rows are as the model says; `eval` is all wrong."""
    root = tmp_path_factory.mktemp("examples")
    with ExamplesWriter(str(root), ["eval", "test"]) as writer:
        for split, right in (("eval", 0), ("test", 9)):
            values = [float(i - 4.5) for i in range(10)]
            labels = [int((value > 0) == (i < right)) for i, value in enumerate(values)]
            columns = {
                "x": pa.array([[v] for v in values], pa.large_list(pa.float32())),
                "label": pa.array([[v] for v in labels], pa.large_list(pa.int64())),
                "kind": pa.array(
                    [[b"a" if i < 5 else b"b"] for i in range(10)], pa.large_list(pa.binary())
                ),
            }
            batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
            writer.write(split, batch)
    found = Examples(str(root))
    found.splits = ["eval", "test"]
    return found


@pytest.fixture
def judge(model, examples, tmp_path):
    def run(eval_config, baseline=None, splits=("test",), execution_id=1):
        evaluator = Evaluator(
            examples=examples,
            model=model,
            baseline_model=baseline,
            eval_config=eval_config,
            example_splits=splits,
        )
        return run_component(evaluator, tmp_path, execution_id=execution_id)

    return run


def test_a_model_is_blessed_when_every_threshold_holds(judge, model):
    outputs = judge(config(0.8))
    blessing = outputs["blessing"]
    assert os.listdir(blessing.uri) == ["BLESSED"]
    properties = blessing.custom_properties
    assert properties["blessed"] == 1
    assert (properties["current_model"], properties["current_model_id"]) == (model.uri, 7)
    assert properties["reasons"] == ["all 3 threshold checks passed"]
    assert {file.name for file in Path(outputs["evaluation"].uri).iterdir()} == {
        "eval_config.json",
        "metrics-00000-of-00001.tfrecord",
        "plots-00000-of-00001.tfrecord",
        "attributions-00000-of-00001.tfrecord",
        "validations.tfrecord",
        "threshold_checks.json",
    }


def test_a_model_that_fails_in_a_slice_is_not_blessed_and_says_where(judge):
    blessing = judge(config(0.85))["blessing"]
    assert os.listdir(blessing.uri) == ["NOT_BLESSED"]
    assert blessing.custom_properties["blessed"] == 0
    assert blessing.custom_properties["reasons"] == [
        "binary_accuracy 0.8 below 0.85 in kind=b (5 examples)"
    ]


def test_the_verdict_is_kept_as_data_on_both_artifacts(judge):
    outputs = judge(config(0.85))
    verdict = outputs["blessing"].custom_properties["verdict"]
    assert verdict == outputs["evaluation"].custom_properties["verdict"]
    assert verdict["summary"] == (
        "not blessed: binary_accuracy 0.8 below 0.85 in kind=b (5 examples)"
    )
    assert (verdict["blessed"], verdict["num_checks"], verdict["num_failed"]) == (False, 3, 1)
    failed = verdict["checks"][0]
    assert {
        name: failed[name] for name in ("metric", "kind", "value", "slice", "num_examples")
    } == {
        "metric": "binary_accuracy",
        "kind": "value",
        "value": pytest.approx(0.8),
        "slice": "kind=b",
        "num_examples": 5,
    }
    assert failed["bounds"] == {"lower": 0.85}
    assert not failed["passed"]
    assert json.loads(json.dumps(verdict)) == verdict


def test_the_splits_are_those_asked_for(judge):
    assert judge(config(0.8), splits=("eval",))["blessing"].custom_properties["blessed"] == 0
    checks = read_checks(
        judge(config(0.8), splits=("eval", "test"), execution_id=2)["evaluation"].uri
    )
    assert checks["checks"][0]["value"] == pytest.approx(0.45)


def test_changes_are_checked_against_a_baseline(judge, model):
    first = judge(config(0.0, change=0.1))
    assert (
        "without a baseline, change thresholds were not checked"
        in (first["blessing"].custom_properties["reasons"])
    )
    second = judge(config(0.0, change=0.1), baseline=model, execution_id=2)
    properties = second["blessing"].custom_properties
    assert properties["blessed"] == 0
    assert properties["baseline_model_id"] == 7
    assert properties["reasons"][0] == (
        "binary_accuracy 0.9, unchanged from the baseline's 0.9 (must rise by 0.1 at least)"
    )


def test_a_change_must_hold_for_each_of_several_baselines(model, examples, tmp_path):
    asked = {"examples": examples, "model": model, "example_splits": ["test"]}
    evaluator = Evaluator(
        **asked,
        eval_config=config(0.0, change=0.1),
        baseline_model=None,
        third_baseline_model=model,
    )
    blessing = run_component(evaluator, tmp_path)["blessing"]
    properties = blessing.custom_properties
    assert properties["third_baseline_model_id"] == 7
    assert "baseline_model" not in properties
    assert {check["baseline_name"] for check in properties["verdict"]["checks"]} == {""}
    evaluator = Evaluator(
        **asked,
        eval_config=config(0.0, change=0.1),
        baseline_model=model,
        second_baseline_model=model,
    )
    reasons = run_component(evaluator, tmp_path, execution_id=2)["blessing"].custom_properties[
        "reasons"
    ]
    assert "from baseline's 0.9" in reasons[0]
    assert "from baseline_2's 0.9" in reasons[1]
    one = config(0.0, change=0.1)
    one["model_specs"] = [
        {**one["model_specs"][0], "name": "new"},
        {**one["model_specs"][0], "name": "old", "is_baseline": True},
    ]
    with pytest.raises(
        ValueError, match="second_baseline_model needs a ModelSpec with is_baseline"
    ):
        Evaluator(**asked, eval_config=one, baseline_model=model, second_baseline_model=model)
    one["model_specs"] += [{**one["model_specs"][1], "name": f"old{i}"} for i in range(3)]
    with pytest.raises(ValueError, match="has inputs for 3 baselines. The eval_config has 4: old,"):
        Evaluator(**asked, eval_config=one, baseline_model=model)


def test_a_faulty_config_is_named_at_definition_or_before_the_first_row(judge, model, examples):
    with pytest.raises(ValueError, match="Not an EvalConfig"):
        Evaluator(examples=examples, model=model, eval_config={"modelSpec": 1})
    with pytest.raises(
        ComponentFailed, match="slicing feature 'kid' is not a feature.* Did you mean 'kind'"
    ):
        judge({**config(0.8), "slicing_specs": [{"feature_keys": ["kid"]}]})
    with pytest.raises(ComponentFailed, match="Split 'tset' has no files"):
        judge(config(0.8), splits=("tset",))


OWN_METRICS = """
from penstock.evaluation import row_metric

@row_metric
def above(labels, predictions, bound=0.5):
    return predictions > bound
"""


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"class_names": ["stays", "leaves"]}, ("stays", "leaves")),
        ({"vocabularies": {"label": {"values": ["no", "yes"]}}}, ("no", "yes")),
        ({"vocabularies": {"other": {"values": ["no", "yes"]}}}, ()),
    ],
)
def test_the_names_of_the_classes_are_kept_with_the_evaluation(
    model, examples, tmp_path, said, names
):
    copy = Model(str(shutil.copytree(model.uri, tmp_path / "model")))
    labels = tmp_path / "model/Format-Serving/assets.extra/penstock.json"
    labels.parent.mkdir()
    labels.write_text(json.dumps(said))
    evaluator = Evaluator(
        examples=examples, model=copy, eval_config=config(0.8), example_splits=["test"]
    )
    evaluation = run_component(evaluator, tmp_path / "out")["evaluation"]
    assert read_class_names(evaluation.uri) == names


def test_the_worst_rows_are_kept_when_asked_without_what_is_personal(model, examples, tmp_path):
    schema = Schema(str(tmp_path / "schema"))
    Path(schema.uri).mkdir()
    Path(schema.file).write_text(
        """feature { name: "x" type: FLOAT } feature { name: "label" type: INT }
        feature { name: "kind" type: BYTES annotation { tag: "PII" } }"""
    )
    asked = {
        "examples": examples,
        "model": model,
        "schema": schema,
        "eval_config": config(0.8),
        "example_splits": ["test"],
    }
    evaluator = Evaluator(**asked, worst_rows=1, id_key="x")
    evaluation = run_component(evaluator, tmp_path / "a")["evaluation"]
    found = read_worst_rows(evaluation.uri)
    assert found["hidden"] == ["kind"]
    assert [(row["id"], row["label"], row["features"]) for row in found["rows"]] == [
        ("4.5", 0.0, {})
    ]
    with pytest.raises(ComponentFailed, match="id_key 'kind' is marked as PII"):
        run_component(Evaluator(**asked, worst_rows=2, id_key="kind"), tmp_path / "b")
    with pytest.raises(ComponentFailed, match="id_key 'xx' is not a feature"):
        run_component(Evaluator(**asked, worst_rows=2, id_key="xx"), tmp_path / "c")
    for wrong, message in (
        ({"worst_rows": 2}, "worst_rows needs id_key"),
        ({"id_key": "x"}, "id_key has no effect without worst_rows"),
        ({"worst_rows": -1, "id_key": "x"}, "worst_rows must not be negative"),
    ):
        with pytest.raises(ValueError, match=message):
            Evaluator(**asked, **wrong)


@pytest.mark.parametrize(
    ("module", "module_file"),
    [("own1.metrics", None), ("metrics", "own2/metrics.py"), ("own3.metrics", "own3/metrics.py")],
)
def test_metrics_of_ones_own_come_from_the_project(
    model, examples, tmp_path, monkeypatch, module, module_file
):
    # A worker has the project's root on its path.
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / (module_file or "own1/metrics.py")
    path.parent.mkdir()
    path.write_text(OWN_METRICS)
    metric = {"class_name": "above", "module": module, "config": '"bound": 0.9'}
    metric["threshold"] = {"value_threshold": {"lower_bound": 0.4}}
    evaluator = Evaluator(
        examples=examples,
        model=model,
        eval_config={
            "model_specs": [{"label_key": "label"}],
            "metrics_specs": [{"metrics": [metric]}],
        },
        example_splits=["test"],
        module_file=module_file,
    )
    outputs = run_component(evaluator, tmp_path / "out", project_root=tmp_path)
    assert outputs["blessing"].custom_properties["reasons"] == ["above 0.3 below 0.4"]


def test_what_tfx_hands_to_beam_is_refused(model, examples, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "extra.py").write_text("def custom_extractors(*args):\n    return []\n")
    evaluator = Evaluator(
        examples=examples, model=model, eval_config=config(0.8), module_file="extra.py"
    )
    with pytest.raises(ComponentFailed, match="defines custom_extractors, which TFX hands to TFMA"):
        run_component(evaluator, tmp_path / "out", project_root=tmp_path)


def test_what_is_not_computed_is_refused_at_definition(model, examples):
    given = {**config(0.8), "slicing_specs": [{"slice_keys_sql": "SELECT 1"}]}
    with pytest.raises(ValueError, match="slices by SQL are not computed"):
        Evaluator(examples=examples, model=model, eval_config=given)


@pytest.fixture
def blessing(tmp_path):
    def make(blessed: bool) -> ModelBlessing:
        folder = tmp_path / f"blessing_{blessed}"
        folder.mkdir()
        (folder / ("BLESSED" if blessed else "NOT_BLESSED")).touch()
        return ModelBlessing(str(folder), custom_properties={"reasons": ["auc 0.4 below 0.7"]})

    return make


def test_a_blessed_model_is_pushed_and_answers(model, blessing, tmp_path):
    pusher = Pusher(model=model, model_blessing=blessing(True), push_destination="served/it")
    pushed = run_component(pusher, tmp_path / "out", project_root=tmp_path)["pushed_model"]
    properties = pushed.custom_properties
    assert properties["pushed"] == 1
    assert (
        properties["pushed_destination"] == f"{tmp_path}/served/it/{properties['pushed_version']}"
    )
    assert os.path.isfile(f"{pushed.uri}/saved_model.pb")
    (answer,) = load_model(f"{tmp_path}/served/it").predict([{"x": 0.0}])
    assert answer == {"probability": [0.5]}


def test_a_model_that_is_not_blessed_is_not_pushed_and_says_why(model, blessing, tmp_path):
    pusher = Pusher(model=model, model_blessing=blessing(False), push_destination="served")
    pushed = run_component(pusher, tmp_path / "out", project_root=tmp_path)["pushed_model"]
    assert pushed.custom_properties["pushed"] == 0
    assert (
        pushed.custom_properties["not_pushed_because"]
        == "The model is not blessed: auc 0.4 below 0.7"
    )
    assert not (tmp_path / "served").exists()


def test_an_infra_blessing_counts_too(model, tmp_path):
    folder = tmp_path / "infra"
    folder.mkdir()
    (folder / "INFRA_NOT_BLESSED").touch()
    pusher = Pusher(
        model=model, infra_blessing=InfraBlessing(str(folder)), push_destination="served"
    )
    pushed = run_component(pusher, tmp_path / "out", project_root=tmp_path)["pushed_model"]
    assert pushed.custom_properties["pushed"] == 0


def test_a_wrong_destination_is_refused_at_definition(model):
    for destination in ("s4://bucket/x", PushDestination(Filesystem("s4://bucket/x"))):
        with pytest.raises(ValueError, match="no protocol 's4'. Others are gs, s3"):
            Pusher(model=model, push_destination=destination)
    Pusher(model=model, push_destination="s3://bucket/x")
    with pytest.raises(ValueError, match="or a push_fn. Received: neither"):
        Pusher(model=model)
    with pytest.raises(ValueError, match="or a push_fn. Received: both"):
        Pusher(model=model, push_destination="served", push_fn="modules.push.push_fn")
    with pytest.raises(ValueError, match="needs a model_name"):
        Pusher(model=model, push_fn="modules.push.push_fn")
    with pytest.raises(ValueError, match=r"Received: keep=0"):
        Pusher(model=model, push_destination="served", keep=0)
    with pytest.raises(ValueError, match="keep is for a push_destination"):
        Pusher(model=model, push_fn="modules.push.push_fn", model_name="taxi", keep=3)
    with pytest.raises(ValueError, match="custom_config is for a push_fn"):
        Pusher(model=model, push_destination="served", custom_config={"a": 1})
    with pytest.raises(ValueError, match="Received: model_name='a/b'"):
        Pusher(model=model, push_destination="served", model_name="a/b")
    with pytest.raises(ValueError, match="or None for no check. Received: 0"):
        Pusher(model=model, push_destination="served", answers_within_seconds=0)


def test_a_push_to_a_bucket_keeps_as_many_as_it_should(model, tmp_path):
    destination = PushDestination(Filesystem("memory://pusher/taxi", "next"))
    for i in (1, 2, 3):
        pusher = Pusher(
            model=model, push_destination=destination, keep=2, answers_within_seconds=None
        )
        outputs = run_component(pusher, tmp_path / "out", project_root=tmp_path, execution_id=i)
    properties = outputs["pushed_model"].custom_properties
    assert properties["pushed_destination"] == "memory://pusher/taxi/3"
    assert properties["model_name"] == "taxi"
    assert list_versions("memory://pusher/taxi") == [2, 3]
    lineage = read_manifest("memory://pusher/taxi/3").lineage
    assert lineage["model_name"] == "taxi"
    assert lineage["model"]["id"] == 7
    assert "blessed" not in lineage
    assert pusher.is_current({key: [each] for key, each in outputs.items()}, str)
    fsspec.filesystem("memory").rm("/pusher", recursive=True)
    assert not pusher.is_current({key: [each] for key, each in outputs.items()}, str)


def push_nowhere(push):
    """A push_fn."""
    assert os.path.isfile(f"{push.model_dir}/saved_model.pb")
    return f"nowhere://{push.model_name}/{push.custom_config['region']}/{push.form}"


def test_a_function_pushes_to_a_destination_of_its_own(model, tmp_path):
    def pusher(push_fn):
        return Pusher(
            model=model,
            push_fn=push_fn,
            model_name="taxi",
            custom_config={"region": "eu"},
            answers_within_seconds=None,
        )

    given = pusher(push_nowhere)
    outputs = run_component(given, tmp_path / "out")
    properties = outputs["pushed_model"].custom_properties
    assert properties["pushed_destination"] == "nowhere://taxi/eu/SavedModel"
    assert int(properties["pushed_version"]) > 1_700_000_000
    assert given.is_current({key: [each] for key, each in outputs.items()}, str)
    with pytest.raises(ComponentFailed, match="where the model lies now.*Received: None"):
        run_component(pusher(print), tmp_path / "out2")


def test_versions_may_count(model, tmp_path):
    destination = PushDestination(filesystem=Filesystem("served", "next"))
    for i in (1, 2):
        pusher = Pusher(model=model, push_destination=destination, answers_within_seconds=None)
        outputs = run_component(pusher, tmp_path / "out", project_root=tmp_path, execution_id=i)
        assert outputs["pushed_model"].custom_properties["pushed_version"] == str(i)


def test_a_push_holds_only_while_it_lies_there(model, tmp_path):
    pusher = Pusher(model=model, push_destination="served", answers_within_seconds=None)
    outputs = run_component(pusher, tmp_path / "out", project_root=tmp_path)
    found = {key: [artifact] for key, artifact in outputs.items()}
    assert pusher.is_current(found, str)
    newer = tmp_path / "served/99999999999"
    newer.mkdir()
    assert not pusher.is_current(found, str), "a server would take another version"
    newer.rmdir()
    os.rename(outputs["pushed_model"].custom_properties["pushed_destination"], tmp_path / "gone")
    assert not pusher.is_current(found, str)
    refused = {"pushed_model": [PushedModel("x", custom_properties={"pushed": 0})]}
    assert pusher.is_current(refused, str)


@pytest.mark.parametrize(
    ("file", "form", "reader"),
    [
        ("Format-ONNX/model.onnx", "ONNX file", "ONNX Runtime and Triton do"),
        ("Format-Keras/model.keras", "Keras file", "keras.saving.load_model does"),
        ("Format-Serving/model.pkl", "scikit-learn estimator", "penstock.serving.load_model does"),
    ],
)
def test_what_is_no_saved_model_is_pushed_and_said(file, form, reader, tmp_path, caplog):
    path = tmp_path / "model" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a model")
    pusher = Pusher(
        model=Model(str(tmp_path / "model")), push_destination="served", answers_within_seconds=None
    )
    with caplog.at_level("WARNING"):
        outputs = run_component(pusher, tmp_path / "out", project_root=tmp_path)
    properties = outputs["pushed_model"].custom_properties
    assert properties["pushed_form"] == form
    assert Path(properties["pushed_destination"], path.name).read_bytes() == b"a model"
    assert f"so its {form} was pushed. TensorFlow Serving does not load it; {reader}" in caplog.text


def test_a_damaged_model_is_not_pushed(tmp_path):
    (tmp_path / "Format-Serving").mkdir()
    pusher = Pusher(model=Model(str(tmp_path)), push_destination="served")
    with pytest.raises(ComponentFailed, match=r"saved_model\.pb is missing"):
        run_component(pusher, tmp_path / "out", project_root=tmp_path)


def test_a_card_tells_of_everything_that_it_is_given(judge, model, tmp_path):
    judged = judge(config(0.85))
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema/schema.pbtxt").write_text('feature { name: "x" type: FLOAT }')
    (tmp_path / "best").mkdir()
    (tmp_path / "best/best_hyperparameters.txt").write_text('{"values": {"units": 3}}')
    card = ModelCard(
        model=model,
        evaluation=ModelEvaluation(judged["evaluation"].uri),
        blessing=judged["blessing"],
        schema=Schema(str(tmp_path / "schema")),
        hyperparameters=HyperParameters(str(tmp_path / "best")),
        title="It",
    )
    folder = Path(run_component(card, tmp_path)["model_card"].uri)
    data = json.loads((folder / "model_card.json").read_text())
    assert data["evaluation"]["slices"][0]["metrics"]["binary_accuracy"] == 0.9
    assert data["blessing"]["blessed"] == 0
    assert data["training"]["hyperparameters"] == {"units": 3}
    assert data["schema"][0]["name"] == "x"
    page = (folder / "model_card.html").read_text()
    for text in ("It", "Not blessed", "kind=b", "failed", "Calibration", "units"):
        assert text in page
