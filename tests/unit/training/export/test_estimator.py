"""A scikit-learn estimator: exported, loaded elsewhere, evaluated, pushed."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from penstock.artifacts import Model
from penstock.cards import artifact_page, collect
from penstock.serving import load_model, push_model
from penstock.training import ExportError, export_estimator

sklearn = pytest.importorskip("sklearn")

FEATURES = ["x", "size"]

TRAIN = """
import sys
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from penstock.training import export_estimator

x = np.random.default_rng(1).normal(size=(100, 2))
labels = np.array(["low", "middle", "high"])[np.digitize(x[:, 0], [-0.5, 0.5])]
model = RandomForestClassifier(5, random_state=1).fit(x, labels)
export_estimator(model, sys.argv[1], feature_keys=["x", "size"], label_key="level")
np.save(sys.argv[1] + "/expected.npy", model.predict_proba(x[:8]))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The artifact's folder, written by another process."""
    root = tmp_path_factory.mktemp("estimator") / "Format-Serving"
    subprocess.run([sys.executable, "-W", "ignore", "-c", TRAIN, str(root)], check=True)
    return root


def points(count=8):
    x = np.random.default_rng(1).normal(size=(100, 2))[:count]
    return [{"x": a, "size": b} for a, b in x.tolist()]


def test_it_predicts_the_same_elsewhere(exported):
    served = load_model(exported)
    assert served.features == ("x", "size")
    assert served.class_names == ("high", "low", "middle")
    answers = served.predict(points())
    expected = np.load(exported / "expected.npy")
    np.testing.assert_allclose([each["probabilities"] for each in answers], expected)
    names = [served.class_names[i] for i in expected.argmax(axis=1)]
    assert [each["class_name"] for each in answers] == names
    assert served.predict([]) == []
    with pytest.raises(ValueError, match="reads 'size', which the examples do not have"):
        served.predict([{"x": 1.0}])


@pytest.mark.slow
def test_its_bytes_are_the_same_again(exported, tmp_path):
    other = tmp_path / "Format-Serving"
    subprocess.run([sys.executable, "-W", "ignore", "-c", TRAIN, str(other)], check=True)
    for name in ("model.pkl", "estimator.json"):
        first, second = ((root / name).read_bytes() for root in (exported, other))
        assert hashlib.sha256(first).hexdigest() == hashlib.sha256(second).hexdigest()


def test_the_evaluator_takes_it(exported, tmp_path):
    from penstock.evaluation import evaluate
    from penstock.io import ExamplesWriter, split_files

    x = np.random.default_rng(2).normal(size=(200, 2))
    levels = [b"low", b"middle", b"high"]
    columns = {
        "x": pa.array(x[:, :1].tolist(), pa.large_list(pa.float32())),
        "size": pa.array(x[:, 1:].tolist(), pa.large_list(pa.float32())),
        "level": pa.array(
            [[levels[i]] for i in np.digitize(x[:, 0], [-0.5, 0.5])], pa.large_list(pa.binary())
        ),
    }
    with ExamplesWriter(str(tmp_path), ["eval"]) as writer:
        writer.write("eval", pa.RecordBatch.from_pydict(columns))
    config = {
        "model_specs": [{"label_key": "level"}],
        "metrics_specs": [{"metrics": [{"class_name": "SparseCategoricalAccuracy"}]}],
    }
    found = evaluate(split_files(str(tmp_path), "eval"), model=str(exported), eval_config=config)
    assert found.metrics()["sparse_categorical_accuracy"] > 0.8


def test_it_is_pushed_and_served(exported, tmp_path):
    pushed = push_model(exported, tmp_path / "serving")
    assert (pushed.form, pushed.model) == ("scikit-learn estimator", None)
    assert load_model(tmp_path / "serving").predict(points(1))[0]["class_name"]
    model = Model()
    model.uri = str(exported.parent)
    assert list(model.forms) == ["Format-Serving"]
    page = artifact_page(model).html
    for said in ("A scikit-learn estimator", "RandomForestClassifier", "high, low, middle"):
        assert said in page
    assert collect(title="m", model=str(exported))["model"]["form"] == "scikit-learn estimator"


def test_pipelines_on_data_frames(tmp_path):
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = pd.DataFrame({"kind": ["a", "b", "a", "c"], "x": [1.0, 2.0, 3.0, 4.0]})
    encode = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    model = make_pipeline(encode, LinearRegression()).fit(frame, [1.0, 4.0, 3.0, 8.0])
    export_estimator(model, str(tmp_path), feature_keys=["kind", "x"])
    answers = load_model(tmp_path).predict(frame)
    np.testing.assert_allclose([each["predictions"] for each in answers], model.predict(frame))


def test_missing_values_are_nan(tmp_path):
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(SimpleImputer(), LinearRegression())
    model.fit([[1.0], [3.0], [np.nan]], [2.0, 6.0, 4.0])
    export_estimator(model, str(tmp_path), feature_keys=["x"])
    found = load_model(tmp_path).predict([{"x": 1.0}, {}, {"x": None}])
    np.testing.assert_allclose([each["predictions"] for each in found], [2.0, 4.0, 4.0])
    with pytest.raises(ValueError, match="reads 'x', of which row 1 has 2 values, not 1"):
        load_model(tmp_path).predict([{"x": 1.0}, {"x": [1.0, 2.0]}, {"x": 1.0}])


def test_what_cannot_be_exported_is_said(tmp_path):
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import FunctionTransformer

    with pytest.raises(ExportError, match="LogisticRegression cannot be exported: .*not fitted"):
        export_estimator(LogisticRegression(), str(tmp_path), feature_keys=["x"])
    fitted = LogisticRegression().fit([[0.0], [1.0], [2.0]], [1, 2, 5])
    with pytest.raises(ExportError, match=r"numbers from 0.* Received: \[1, 2, 5\]"):
        export_estimator(fitted, str(tmp_path), feature_keys=["x"])
    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ExportError, match="class_names has 1 names, but LogisticRegression has 2"):
        export_estimator(fitted, str(tmp_path), feature_keys=["x"], class_names=["no"])
    transformer = FunctionTransformer(lambda x: x).fit([[0.0]])
    with pytest.raises(ExportError, match="FunctionTransformer cannot be pickled: .*lambda"):
        export_estimator(transformer, str(tmp_path), feature_keys=["x"])
    assert not list(tmp_path.iterdir())


def test_another_version_is_told(exported, tmp_path):
    import shutil

    shutil.copytree(exported, tmp_path / "old")
    path = tmp_path / "old" / "estimator.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"scikit-learn": "0.1.0"}))
    with pytest.warns(UserWarning, match=r"pickled by scikit-learn 0\.1\.0"):
        load_model(tmp_path / "old")
