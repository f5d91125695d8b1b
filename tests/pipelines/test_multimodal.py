"""Glyphs by picture and measures, on a cut of the characters; each bound has its reason beside it."""

from __future__ import annotations

import importlib

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.tensorflow

# Half of them are told apart by their size alone.
CHARACTERS = [*"oOsSxX", *"agR4"]


@pytest.fixture
def few_characters(copied_project):
    table = pq.read_table("data/glyphs/glyphs.parquet")
    (copied_project / "data").unlink()
    folder = copied_project / "data/glyphs"
    folder.mkdir(parents=True)
    keep = pc.field("character").isin(CHARACTERS)
    pq.write_table(table.filter(keep), folder / "glyphs.parquet")
    return table


def test_two_inputs_beat_either_alone(few_characters, run_pipeline):
    # Without the Pusher, which would load the model in a process of its own.
    ends = ("--to", "AgainstImageAlone", "--to", "AgainstMeasuresAlone")
    result = run_pipeline("multimodal", "--param", "form=subclassed", *ends)
    image, measures = (
        result["nodes"][name]["metrics"] for name in ("AgainstImageAlone", "AgainstMeasuresAlone")
    )
    # A picture leaves it open which of a pair a character is: the gain is larger than in the whole, 0.08.
    gained = image["model/character_accuracy"] - image["baseline/character_accuracy"]
    assert gained > 0.1
    # The whole run has 0.76 and 145.
    gained = measures["model/character_accuracy"] - measures["baseline/character_accuracy"]
    assert gained > 0.3
    assert measures["model/weight_mae"] < measures["baseline/weight_mae"] - 50

    from penstock.serving import load_model

    bold = few_characters.filter(
        (pc.field("character") == "O")
        & (pc.field("family") == "inter")
        & (pc.field("weight") == 900)
    )
    (glyph,) = bold.to_pylist()
    names = ("image", "width", "height", "bottom", "advance")
    model = load_model(result["nodes"]["Trainer"]["outputs"]["model"][0]["uri"] + "/Format-Serving")
    (answer,) = model.predict([{name: glyph[name] for name in names}])
    assert answer["character"] == "O"
    assert 700 < answer["weight"][0] < 1000


def test_functional_and_subclassed_give_equal_numbers(copied_project):
    import keras

    module = importlib.import_module("modules.multimodal")
    rng = np.random.default_rng(1)
    inputs = {"pixels": rng.random((8, 24, 24, 1), "f"), "measures": rng.random((8, 4), "f")}
    labels = {"symbol": np.arange(8), "boldness": rng.random((8, 1), "f")}
    found = []
    for build in (module.functional_model, module.GlyphModel):
        keras.utils.set_random_seed(1)
        model = module.compiled(build(10), steps=3)
        losses = [model.train_on_batch(inputs, labels)[0] for _ in range(3)]
        found.append((losses, model.predict(inputs, verbose=0)))
    functional, subclassed = found
    assert functional[0] == subclassed[0]
    for name in labels:
        np.testing.assert_array_equal(functional[1][name], subclassed[1][name])


@pytest.mark.slow
def test_in_full(run_pipeline):
    result = run_pipeline("multimodal")
    assert result["nodes"]["Evaluator"]["metrics"]["sparse_categorical_accuracy (symbol)"] > 0.9
    assert result["nodes"]["Pusher"]["verdict"]["text"].startswith("pushed version")
