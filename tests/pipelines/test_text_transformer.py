"""Languages by a transformer's encoder, on a cut of them; each bound has its reason beside it."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.test_text import few_languages

pytestmark = pytest.mark.tensorflow

__all__ = ["few_languages"]


def test_an_encoder_beats_words(few_languages, run_pipeline):
    options = ("--param", "epochs=5", "--to", "BaselineComparison")
    nodes = run_pipeline("text_transformer", *options)["nodes"]
    found = nodes["BaselineComparison"]["metrics"]
    # On 397 texts; the full run has 0.06, on 3,800.
    assert found["model/accuracy"] - found["baseline/accuracy"] >= 0.03

    drawn = Path(nodes["Trainer"]["outputs"]["model_run"][0]["uri"], "attention")
    assert {path.name for path in drawn.iterdir()} >= {"text_1.png", "index.html"}


def test_attention_is_a_share_of_what_is_no_padding(copied_project):
    module = importlib.import_module("modules.text_transformer")
    model = module.build_model(9, 3)
    tokens = np.zeros((1, module.MAX_TOKENS), "int64")
    tokens[0, :3] = [2, 5, 3]
    scores = module.attention_of(model, tokens)
    assert scores.shape == (1, module.HEADS, module.MAX_TOKENS, module.MAX_TOKENS)
    np.testing.assert_allclose(scores[0, :, :3, :3].sum(axis=-1), 1, atol=1e-5)


@pytest.mark.slow
def test_in_full(run_pipeline):
    result = run_pipeline("text_transformer")
    assert result["nodes"]["Evaluator"]["metrics"]["sparse_categorical_accuracy"] > 0.88
    assert result["nodes"]["Pusher"]["verdict"]["text"].startswith("pushed version")
