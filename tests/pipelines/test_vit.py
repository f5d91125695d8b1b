"""The vision transformer: its layers, and a run on a cut of the digits; each bound has its reason beside it."""

from __future__ import annotations

import gzip
import importlib
import struct
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

ROWS = 1200


@pytest.fixture
def few_digits(copied_project):
    """The first digits; data of an IDX file are its header and then the rows."""
    data = Path("data/digits").resolve()
    (copied_project / "data").unlink()
    folder = copied_project / "data/digits"
    folder.mkdir(parents=True)
    for file in data.glob("*.gz"):
        content = gzip.decompress(file.read_bytes())
        dimensions = content[3]
        shape = struct.unpack(f">{dimensions}I", content[4 : 4 + 4 * dimensions])
        start = 4 + 4 * dimensions
        row = (len(content) - start) // shape[0]
        header = content[:4] + struct.pack(">I", ROWS) + content[8:start]
        (folder / file.name).write_bytes(
            gzip.compress(header + content[start : start + ROWS * row])
        )
    return copied_project


def test_it_learns_and_draws_where_it_looks(few_digits, run_pipeline):
    result = run_pipeline("vit", "--param", "epochs=8", "--to", "Trainer")
    trainer = result["nodes"]["Trainer"]
    # Of 240 digits, after 8 epochs on 720: a guess is right in a tenth; the whole run is in the table.
    assert trainer["metrics"]["val_accuracy"] > 0.3
    folder = Path(trainer["outputs"]["model_run"][0]["uri"]) / "attention"
    assert (folder / "attention.png").read_bytes().startswith(b"\x89PNG")
    assert "data:image/png;base64," in (folder / "index.html").read_text()


def test_the_rollout_of_attention(copied_project):
    module = importlib.import_module("modules.vit")
    tokens = 1 + module.GRID**2
    # All look at themselves alone: nothing reaches the class token.
    alone = np.broadcast_to(np.eye(tokens), (2, module.HEADS, tokens, tokens))
    assert module.rollout([alone, alone]).sum() == 0.0
    # In the first block the token looks at patch 5 alone; in the second all look at themselves.
    looks = alone.copy()
    looks[:, :, 0] = np.eye(tokens)[1 + 5]
    seen = module.rollout([looks, alone]).reshape(2, -1)
    np.testing.assert_allclose(seen, np.broadcast_to(np.eye(tokens - 1)[5] * 0.5, seen.shape))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_saved_model_has_the_layers_of_the_module(copied_project, tmp_path):
    import keras

    module = importlib.import_module("modules.vit")
    keras.utils.set_random_seed(1)
    model, attention = module.build_models()
    pixels = np.random.default_rng(1).random((2, 28, 28, 1), "f")
    scores = attention.predict_on_batch({"pixels": pixels})
    assert len(scores) == module.BLOCKS
    for each in scores:
        np.testing.assert_allclose(np.asarray(each).sum(axis=-1), 1.0, rtol=1e-5)
    model.save(tmp_path / "vit.keras")
    again = keras.saving.load_model(tmp_path / "vit.keras")
    np.testing.assert_array_equal(
        again.predict_on_batch({"pixels": pixels}), model.predict_on_batch({"pixels": pixels})
    )


@pytest.mark.slow
def test_in_full(run_pipeline):
    result = run_pipeline("vit")
    scores = result["nodes"]["BaselineComparison"]["metrics"]
    assert scores["model/accuracy"] > scores["baseline/accuracy"] + 0.03
    assert result["nodes"]["Pusher"]["verdict"]["text"].startswith("pushed version")
