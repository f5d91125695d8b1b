"""Words into words: what is served, and the search. The comparison needs a whole training: it is slow."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_served_model_takes_a_word_and_returns_one(copied_project, run_pipeline):
    (copied_project / "data").unlink()
    folder = copied_project / "data/word_pairs"
    folder.mkdir(parents=True)
    lines = (REPOSITORY / "data/word_pairs/reversal.csv").read_text().splitlines()
    (folder / "reversal.csv").write_text("\n".join([lines[0], *lines[1:3000:8]]))
    options = ("--param=pairs=reversal.csv", "--param=epochs=2", "--param=beams=2")
    nodes = run_pipeline("transliteration", *options, "--to", "Trainer")["nodes"]
    losses = nodes["Trainer"]["metrics"]
    # A guess among the letters costs 3.5; after 6 steps it is no good, but a little better.
    assert losses["loss"] < 3.5

    from penstock.serving import load_model

    model = load_model(nodes["Trainer"]["outputs"]["model"][0]["uri"] + "/Format-Serving")
    assert model.features == {"word": "string"}
    answers = model.predict([{"word": "слово"}, {"word": "ні"}])
    for answer in answers:
        assert set(answer) == {"target", "score"}
        assert isinstance(answer["target"], str)
        assert not set(answer["target"]) & {"<", ">"}
        assert math.isfinite(answer["score"])
    (alone,) = model.predict([{"word": "ні"}])
    assert alone["score"] == pytest.approx(answers[1]["score"], abs=1e-4)


def test_the_decoder_sees_no_later_letter_and_no_padding(copied_project):
    module = importlib.import_module("modules.transliteration")
    model, encoder, decoder = module.build_models(7, 9)
    source = np.zeros((1, module.SOURCE), "int64")
    source[0, :3] = [2, 5, 3]
    target = np.zeros((1, module.TARGET - 1), "int64")
    target[0, :3] = [2, 4, 6]
    found = model.predict({"source": source, "target_in": target}, verbose=0)
    assert found.shape == (1, module.TARGET - 1, 9)
    later = target.copy()
    later[0, 2] = 7
    other = model.predict({"source": source, "target_in": later}, verbose=0)
    np.testing.assert_allclose(found[0, :2], other[0, :2], atol=1e-5)
    assert np.abs(found[0, 2] - other[0, 2]).max() > 1e-3
    # What the encoder made of the padding is not looked at.
    context, seen = encoder.predict(source, verbose=0), source != 0
    context[0, 3:] = 5.0
    again = decoder.predict([target, context, seen], verbose=0)
    np.testing.assert_allclose(found[0, :3], again[0, :3], atol=1e-5)


def test_words_right_counts_whole_words(copied_project):
    module = importlib.import_module("modules.transliteration")
    assert module.metric_fn([b"ab", b"cd"], ["ab", "ce"]) == {"words_right": 0.5}


@pytest.mark.slow
@pytest.mark.parametrize("pairs", ["transliteration.csv", "reversal.csv"])
def test_in_full(run_pipeline, pairs):
    nodes = run_pipeline("transliteration", f"--param=pairs={pairs}")["nodes"]
    found = nodes["BaselineComparison"]["metrics"]
    # 0.89 and 0.73 for the transliteration.
    assert found["model/words_right"] - found["baseline/words_right"] >= 0.05
    assert found["model/words_right"] > 0.8
    assert nodes["Pusher"]["verdict"]["text"].startswith("pushed version")
