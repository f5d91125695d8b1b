"""Dependencies of packages: recommendations on a cut of the packages, and what the served model returns."""

from __future__ import annotations

import importlib

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.tensorflow

SECTIONS = ["python", "perl", "gnu-r", "ruby"]


@pytest.fixture
def few_packages(copied_project):
    """Those of four sections: a third of the rows."""
    table = pq.read_table("data/packages/packages.parquet")
    (copied_project / "data").unlink()
    folder = copied_project / "data/packages"
    folder.mkdir(parents=True)
    keep = pc.field("section").isin(SECTIONS)
    pq.write_table(table.filter(keep), folder / "packages.parquet")
    return copied_project


@pytest.mark.parametrize("negatives", ["all", pytest.param("in_batch", marks=pytest.mark.slow)])
def test_two_towers_beat_popularity_and_return_names(few_packages, run_pipeline, negatives):
    result = run_pipeline("recommend", "--param", f"negatives={negatives}", "--param", "epochs=4")
    found = result["nodes"]["BaselineComparison"]["metrics"]
    # The whole run has 0.62 of 0.17, and 0.46 of 0.09.
    assert found["model/recall_at_10"] > found["baseline/recall_at_10"] + 0.2
    assert found["model/ndcg_at_10"] > found["baseline/ndcg_at_10"] + 0.15
    # The Evaluator counts on all scores what the comparison counts on the ten names.
    assert result["nodes"]["Evaluator"]["metrics"]["recall_at_10"] == pytest.approx(
        found["model/recall_at_10"], abs=1e-6
    )

    from penstock.serving import load_model

    (model,) = result["nodes"]["Trainer"]["outputs"]["model"]
    served = load_model(model["uri"] + "/Format-Serving")
    known = ["python3-matplotlib", "python3-pandas", "a-package-of-tomorrow"]
    rows = [{"section": "python", "depends": known}, {"section": "gnu-r", "depends": []}]
    python, r = served.predict([*rows, {"section": "python", "depends": known * 9}])[:2]
    assert len(python["packages"]) == len(set(python["packages"])) == 10
    assert {"python3-numpy", "python3-scipy"} & set(python["packages"][:5])
    assert not set(known) & set(python["packages"])
    assert python["scores"] == sorted(python["scores"], reverse=True)
    # Without anything known the section speaks.
    assert sum(name.startswith("r-") for name in r["packages"]) >= 8


def test_the_loss_in_a_batch_is_that_of_the_rows_of_the_batch(copied_project):
    module = importlib.import_module("modules.recommend")
    scores = np.array([[2.0, 1.0, 0.0], [0.5, 3.0, 1.0], [1.0, 0.0, -1.0]], "float32")
    targets = np.array([[0], [1], [0]])
    frequencies = np.array([4.0, 2.0, 1.0])
    loss = module.softmax_in_batch(frequencies)
    found = float(loss(targets, scores))
    # Row 0 has the items 0 and 1: the third row's is its own. Row 1 has 1, and 0 twice.
    corrected = scores - np.log(frequencies)
    expected = [
        np.log(np.exp(corrected[0, [0, 1]]).sum()) - corrected[0, 0],
        np.log(np.exp(corrected[1, [0, 1, 0]]).sum()) - corrected[1, 1],
        np.log(np.exp(corrected[2, [1, 0]]).sum()) - corrected[2, 0],
    ]
    assert found == pytest.approx(np.mean(expected), rel=1e-5)


# Keras 3.15 reads TensorFlow's variables by an older way of NumPy's.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_items_share_the_vectors_of_their_words_and_the_tower_is_saved_with_its_names(
    copied_project, tmp_path
):
    import keras

    module = importlib.import_module("modules.recommend")
    names = ["python3-numpy", "python3-numpy-dev", "libqt5gui5", ""]
    tower = module.ItemTower(names, 64)
    users = keras.Input((64,))
    model = keras.Model(users, tower(users))
    vectors = keras.ops.convert_to_numpy(tower.vectors())
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    # Two of three words are the same, and the other item has none of them.
    np.testing.assert_allclose(tower.shares[:3].sum(axis=1), 1.0, rtol=1e-6)
    assert (tower.shares[0] > 0).sum() == 2
    assert tower.shares[0] @ tower.shares[1] == pytest.approx(1 / 3)
    assert tower.shares[0] @ tower.shares[2] == 0
    path = tmp_path / "model.keras"
    model.save(path)
    again = keras.saving.load_model(path)
    given = np.random.default_rng(1).normal(size=(3, 64)).astype("float32")
    np.testing.assert_array_equal(model.predict(given, verbose=0), again.predict(given, verbose=0))


@pytest.mark.slow
def test_in_full(run_pipeline):
    result = run_pipeline("recommend")
    assert result["nodes"]["Pusher"]["verdict"]["text"].startswith("pushed version")
