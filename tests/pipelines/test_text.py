"""Languages by text, on a cut of them; each bound has its reason beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

REPOSITORY = Path(__file__).resolve().parents[2]
# Two pairs that are close.
FEW = ("cs", "sk", "es", "pt")


@pytest.fixture
def few_languages(copied_project) -> Path:
    (copied_project / "data").unlink()
    folder = copied_project / "data/languages"
    folder.mkdir(parents=True)
    for name in FEW:
        lines = (REPOSITORY / f"data/languages/{name}.txt").read_text().splitlines()
        (folder / f"{name}.txt").write_text("\n".join(lines[:600]))
    return copied_project


def test_a_recurrent_network_beats_words(few_languages, run_pipeline):
    options = ("--param", "rnn=gru", "--param", "epochs=4", "--to", "BaselineComparison")
    result = run_pipeline("text", *options)
    nodes = result["nodes"]
    found = nodes["BaselineComparison"]["metrics"]
    # 0.065 here, on 397 texts; the full run has 0.05, on 3,700.
    assert found["model/accuracy"] - found["baseline/accuracy"] >= 0.02
    assert found["model/accuracy"] > 0.8

    from penstock.serving import load_model

    model = load_model(nodes["Trainer"]["outputs"]["model"][0]["uri"] + "/Format-Serving")
    assert model.features == {"text": "string"}
    texts = {"cs": "Zadejte prosím správnou hodnotu.", "es": "Introduzca un número entero."}
    answers = model.predict([{"text": text} for text in texts.values()])
    assert [answer["language"] for answer in answers] == list(texts)
    # A longer request pads nothing that a shorter one does not.
    (alone,) = model.predict([{"text": texts["cs"]}])
    np.testing.assert_allclose(alone["probabilities"], answers[0]["probabilities"], atol=1e-5)

    # What was learned is a file of vectors, which a training may begin with.
    from penstock.training import embedding_matrix

    run = nodes["Trainer"]["outputs"]["model_run"][0]["uri"]
    assert embedding_matrix(f"{run}/embeddings.txt", [" de", " na"], 48).shape == (2, 48)


@pytest.mark.parametrize("kind", ["simple", "bidirectional_lstm"])
def test_each_kind_of_network_leaves_padding_out(copied_project, kind):
    import importlib

    module = importlib.import_module("modules.text")
    model = module.build_model(9, 3, kind)
    tokens = np.zeros((2, module.MAX_TOKENS), "int64")
    tokens[:, :4] = [[2, 5, 3, 0], [2, 5, 3, 4]]
    first, second = model.predict({"tokens": tokens}, verbose=0)
    assert first.shape == (3,)
    assert np.abs(first - second).max() > 1e-6
    with pytest.raises(
        ValueError, match="rnn must be one of simple, gru, lstm, bidirectional_simple"
    ):
        module.build_model(9, 3, "both_gru")


@pytest.mark.slow
def test_in_full(run_pipeline):
    result = run_pipeline("text")
    assert result["nodes"]["Evaluator"]["metrics"]["sparse_categorical_accuracy"] > 0.87
    assert result["nodes"]["Pusher"]["verdict"]["text"].startswith("pushed version")
