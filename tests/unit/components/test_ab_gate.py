"""Two versions on the same rows and in a log of a server: the decision, and what is refused."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pytest

from penstock.artifacts import Examples, Model
from penstock.cards.artifact_pages.page import artifact_page
from penstock.components import ABGate, Pusher
from penstock.io import ExamplesSplit, ExamplesWriter, read_columns
from penstock.pushing import push_model, remove_alias, set_alias
from penstock.testing import ComponentFailed, check_component, run_component

ROWS, BEFORE = 240, 40


def write(root, columns) -> Examples:
    with ExamplesWriter(str(root), ["eval"]) as writer:
        arrays = {}
        for name, values in columns.items():
            kind = {"U": pa.binary(), "f": pa.float32(), "i": pa.int64()}[values.dtype.kind]
            lists = [None if each in ("", None) else [each] for each in values.tolist()]
            arrays[name] = pa.array(lists, pa.large_list(kind))
        writer.write("eval", pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays)))
    examples = Examples(str(root))
    examples.splits = ["eval"]
    return examples


@pytest.fixture
def log(tmp_path) -> Examples:
    return log_of(tmp_path / "log")


def log_of(folder, versions=(1, 2)) -> Examples:
    """What a server logged: the canary is right in 95 of 100 rows, the champion in 80.

    Before there was a canary, the champion was asked something else, and always wrong.
    """
    random = np.random.default_rng(1)
    champion = (np.arange(ROWS) % 4 != 0) | (np.arange(ROWS) < BEFORE)
    right = random.random(ROWS) < np.where(champion, 0.8, 0.95)
    right[:BEFORE] = False
    kind = np.where(random.random(ROWS) < 0.5, "yes", "no")
    score = np.where((kind == "yes") == right, 0.9, 0.1)
    kind[BEFORE + 7] = ""
    return write(
        folder,
        {
            "x": random.normal(size=ROWS).astype("float32"),
            "kind": kind,
            "served.time": np.arange(ROWS),
            "served.request_id": np.array([f"r{i}" for i in range(ROWS)]),
            "served.version": np.where(
                champion, 1, np.array(versions[1:])[np.arange(ROWS) // 4 % (len(versions) - 1)]
            ),
            "served.label": np.where(champion, "champion", "canary"),
            "served.output.probabilities": score.astype("float32"),
        },
    )


def gate(examples, **given):
    versions = {"candidate_version": "canary", "baseline_version": "champion"}
    fields = {"label_key": "kind", "metrics": ["accuracy"], **versions, **given}
    return ABGate(examples=examples, **fields)


def test_what_a_server_logged_decides(log, tmp_path):
    outputs = run_component(gate(log, candidate_share=0.25), tmp_path / "out")
    found = outputs["comparison"].value
    (accuracy,) = found["metrics"]
    assert found["rows"] == [50, 146]
    assert accuracy["candidate"] > accuracy["baseline"]
    assert accuracy["lower"] > 0
    assert (found["outcome"], outputs["verdict"].value) == ("candidate", "candidate")
    assert outputs["blessing"].blessed
    page = artifact_page(outputs["comparison"]).html
    assert "The candidate is better" in page
    assert "each version had its own rows" in page

    outputs = run_component(gate(log, candidate_version="1", baseline_version="2"), tmp_path / "no")
    assert outputs["verdict"].value == "baseline"
    assert not outputs["blessing"].blessed
    assert "the candidate is not as good" in artifact_page(outputs["comparison"]).html

    outputs = run_component(gate(log, margin=0.14), tmp_path / "open")
    assert outputs["verdict"].value == "undecided"
    assert "would decide" in outputs["blessing"].custom_properties["reasons"][0]

    alone = {"candidate_version": "1", "baseline_version": "1"}
    assert run_component(gate(log, **alone), tmp_path / "itself")["verdict"].value == "undecided"
    canary = log_of(tmp_path / "moved", versions=(1, 2, 3))
    with pytest.raises(ComponentFailed, match="'canary' named the versions 2, 3 while"):
        run_component(gate(canary), tmp_path / "mixed")
    outputs = run_component(gate(log, candidate_share=0.5), tmp_path / "off")
    assert outputs["verdict"].value == "undecided"
    assert "instead of 50.0%" in outputs["blessing"].custom_properties["reasons"][0]


@pytest.fixture
def models(tmp_path) -> list[Model]:
    """Two estimators: one knows the slope, the other always says yes."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    from penstock.training import export_estimator

    random = np.random.default_rng(2)
    x = random.normal(size=(300, 1))
    y = np.where(x[:, 0] + random.normal(0, 0.3, 300) > 0, "yes", "no")
    found = []
    for name, estimator in (
        ("good", LogisticRegression()),
        ("constant", DummyClassifier(strategy="constant", constant="yes")),
    ):
        folder = tmp_path / name / "Format-Serving"
        export_estimator(estimator.fit(x, y), str(folder), feature_keys=["x"], label_key="kind")
        found.append(Model(str(folder.parent), id=len(found) + 1))
    return found


@pytest.fixture
def rows(tmp_path) -> Examples:
    random = np.random.default_rng(3)
    x = random.normal(size=ROWS).astype("float32")
    kind = np.where(x > 0, "yes", "no")
    user = np.array([f"u{i % 40}" for i in range(ROWS)])
    return write(tmp_path / "rows", {"x": x, "kind": kind, "user": user})


def test_two_models_on_the_same_rows(models, rows, tmp_path):
    good, constant = models
    fields = {"label_key": "kind", "metrics": ["accuracy", "auc"], "unit_key": "user"}
    outputs = run_component(
        ABGate(examples=rows, model=good, baseline_model=constant, **fields), tmp_path / "out"
    )
    found = outputs["comparison"].value
    accuracy, auc = found["metrics"]
    assert found["outcome"] == "candidate"
    assert found["paired"]
    assert (accuracy["units"], accuracy["method"], auc["method"]) == (40, "t", "bootstrap")
    assert (auc["margin"], auc["outcome"]) == (None, None)
    pusher = Pusher(model=good, blessings=[outputs["blessing"]], push_destination="served")
    assert run_component(pusher, tmp_path / "p", project_root=tmp_path)[
        "pushed_model"
    ].custom_properties["pushed"]

    outputs = run_component(
        ABGate(examples=rows, model=good, baseline_model=good, **fields), tmp_path / "same"
    )
    assert outputs["verdict"].value == "undecided", "equal is not better"


def test_a_model_beside_the_one_that_serves(models, rows, tmp_path):
    good, constant = models

    def gate(model):
        return ABGate(
            examples=rows,
            model=model,
            serving_model="served/kinds@champion",
            label_key="kind",
            metrics=["accuracy"],
        )

    def run(model, name):
        return run_component(gate(model), tmp_path / name, project_root=tmp_path)

    first = run(constant, "first")
    assert first["verdict"].value == "candidate", "nothing was pushed yet"
    assert "The candidate is better" in artifact_page(first["comparison"]).html
    destination = str(tmp_path / "served/kinds")
    for model in models:
        push_model(model.serving_uri, destination, versioning="next")
    with pytest.raises(ComponentFailed, match="no alias 'champion'. It has none yet"):
        run(good, "unnamed")
    set_alias(destination, "champion", 2)
    better = run(good, "better")
    assert better["verdict"].value == "candidate"
    assert better["comparison"].value["baseline"] == f"{destination}/2"

    def is_current():
        found = {"comparison": [better["comparison"]]}
        return gate(good).is_current(found, lambda path: str(tmp_path / path))

    assert is_current()
    set_alias(destination, "champion", 1)
    assert not is_current(), "another version serves now"
    assert not gate(good).is_current({}, str), "as Kubeflow's cache asks"
    remove_alias(destination, "champion")
    assert not is_current()
    set_alias(destination, "champion", 1)
    assert run(good, "equal")["verdict"].value == "undecided"


def test_the_contract(log, tmp_path):
    check_component(gate(log, metrics=["accuracy", "auc"]), tmp_path / "work")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"candidate_version": "canry"}, "No row was answered by 'canry'. Did you mean 'canary'?"),
        ({"label_key": "kin"}, "The rows have no feature 'kin'. Did you mean 'kind'?"),
        ({"prediction_key": "x"}, "The model has no output 'x'. Outputs: probabilities"),
    ],
)
def test_what_is_not_there_is_said(log, tmp_path, given, message):
    with pytest.raises(ComponentFailed) as caught:
        run_component(gate(log, **given), tmp_path / "out")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"candidate_version": ""}, "Give one of these pairs"),
        ({"serving_model": "served"}, "model is compared with a baseline_model or a serving_model"),
        ({"metrics": ["acuracy"]}, "Did you mean 'accuracy'"),
        ({"metrics": []}, "needs a metric"),
        ({"margin": {"auc": 0.1}}, "margin has a metric of metrics"),
        ({"margin": {}}, "margin has a metric of metrics"),
        ({"confidence": 95.0}, "confidence is 0.5 to 1, as 0.95"),
        ({"candidate_share": 20.0}, "candidate_share is between 0 and 1"),
        ({"planned_units": 1}, "planned_units is 2 or more"),
    ],
)
def test_mistakes_are_named_at_definition(given, message):
    with pytest.raises(ValueError, match=message):
        gate(Examples("x"), **given)


def test_the_rows_of_a_log_may_be_in_several_splits(tmp_path):
    examples = log_of(tmp_path / "log")
    rows = read_columns(ExamplesSplit.of(examples, "eval"))
    parts = {"train": np.arange(ROWS) < 150, "eval": np.arange(ROWS) >= 150}
    folder = tmp_path / "parts"
    for name, chosen in parts.items():
        texts = {k: v[chosen] for k, v in rows.items()}
        texts = {
            k: np.array([(x or b"").decode() for x in v])
            if v.dtype == object
            else v.astype(v.dtype)
            for k, v in texts.items()
        }
        part = write(folder / name, texts)
        shutil.copytree(part.split_uri("eval"), folder / f"all/Split-{name}")
    divided = Examples(str(folder / "all"))
    divided.splits = list(parts)
    whole, both = (
        run_component(gate(each), tmp_path / name)["comparison"].value
        for each, name in ((examples, "whole"), (divided, "both"))
    )
    assert both["splits"] == ["train", "eval"]
    assert both["metrics"][0] == pytest.approx(whole["metrics"][0])
