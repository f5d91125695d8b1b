"""Transfer on photographs, on a cut of the classes; each bound has its reason beside it."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

BASE = ("galaxies", "dandelion", "meadow")
FEW = ("cat", "pagoda")


@pytest.fixture
def few_photographs(copied_project):
    data = Path("data/photos").resolve()
    (copied_project / "data").unlink()
    for part, names in (("base", BASE), ("few", FEW)):
        for split in (data / part).iterdir():
            for name in names:
                target = copied_project / "data/photos" / part / split.name / name
                shutil.copytree(split / name, target)
    return copied_project


@pytest.mark.slow
def test_a_base_is_trained_and_pushed_and_taken_over(few_photographs, run_pipeline):
    from penstock.serving import load_model

    words = (
        "--param",
        "base_epochs=1",
        "--param",
        "epochs=1",
        "--to",
        "Trainer",
        "--to",
        "BasePusher",
    )
    result = run_pipeline("photos", *words)
    assert result["nodes"]["BasePusher"]["verdict"]["text"].startswith("pushed version")
    # All layers of the body, and the normalization's statistics; the head is another.
    log = Path(result["nodes"]["Trainer"]["log"]).read_text()
    assert "New: head." in log
    assert "Not in this model: base_head." in log

    base = load_model("serving_model/photos_base")
    picture = (few_photographs / "data/photos/few/test/cat/00.jpg").read_bytes()
    (answer,) = base.predict([{"image": picture}])
    assert answer["photograph"] in BASE
    assert sum(answer["probabilities"]) == pytest.approx(1.0, abs=1e-5)


def test_patches_do_not_overlap(tmp_path, monkeypatch):
    """So no pixel of a test patch is in one to learn from."""
    from PIL import Image

    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "data/make"))
    patches_of = importlib.import_module("photos").patches_of
    # Each pixel has a colour of its own, and the size is such that nothing is scaled.
    number = np.arange(640 * 427).reshape(427, 640)
    pixels = np.stack([number % 256, number // 256 % 256, number // 65536], axis=-1)
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "photo.png")
    patches = np.stack([np.asarray(each) for each in patches_of(tmp_path / "photo.png")])
    assert patches.shape == (60, 64, 64, 3)
    assert len(np.unique(patches.reshape(-1, 3), axis=0)) == 60 * 64 * 64


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_frozen_body_keeps_weights_and_statistics(copied_project):
    import keras

    module = importlib.import_module("modules.photos")
    keras.utils.set_random_seed(1)
    body = module.new_body()
    model = module.classifier(body, classes=3, head="head")
    body.trainable = False
    assert [weight.path for weight in model.trainable_weights] == ["head/kernel", "head/bias"]
    # Fine-tuning trains the rest, and keeps the normalization of the base: its moving means and variances.
    module.unfreeze(body)
    assert len(model.trainable_weights) > 40
    norm = body.get_layer("bn_Conv1")
    before = keras.ops.convert_to_numpy(norm.moving_mean)
    model({"pixels": np.ones((2, 64, 64, 3), "f")}, training=True)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(norm.moving_mean), before)
    # Trained from nothing, they follow the batches.
    fresh = module.new_body()
    fresh(np.ones((2, 64, 64, 3), "f"), training=True)
    followed = keras.ops.convert_to_numpy(fresh.get_layer("bn_Conv1").moving_mean)
    assert not np.array_equal(followed, before)


@pytest.mark.slow
def test_in_full(run_pipeline):
    result = run_pipeline("photos")
    scores = result["nodes"]["BaselineComparison"]["metrics"]
    assert scores["model/accuracy"] > scores["baseline/accuracy"] + 0.1
    assert result["nodes"]["Pusher"]["verdict"]["text"].startswith("pushed version")
