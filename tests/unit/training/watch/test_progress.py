import re

import pytest

from penstock import progress
from penstock.progress import telling

pytestmark = pytest.mark.tensorflow


def fit(epochs, **settings):
    import keras
    import numpy as np

    from penstock.training import TrainingProgress

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((32, 2), "float32"), np.ones((32, 1), "float32")
    model.fit(
        x, y, epochs=epochs, batch_size=8, verbose=0, callbacks=[TrainingProgress()], **settings
    )


def test_keras_s_fit_tells_epoch_step_loss_and_what_is_left(monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr("penstock.training.watch.progress._SECONDS_BETWEEN", 0.0)
    texts, epochs = [], {}
    with telling(texts.append, epochs.__setitem__):
        fit(3, validation_split=0.25)
    assert texts[0] == "epoch 1 of 3"
    line = r"epoch 3 of 3, step 2 of 3, loss [\d.e-]+, 0:0\d left"
    assert any(re.fullmatch(line, text) for text in texts)
    assert any(re.fullmatch(r"epoch 1 of 3, step 3.*, validating", text) for text in texts)
    assert texts[-1] == "3 of 3 epochs"
    assert sorted(epochs) == [1, 2, 3]
    assert sorted(epochs[1]) == ["loss", "val_loss"]


class Untouchable(dict):
    """Logs whose values would make the device wait."""

    def get(self, *given):
        raise AssertionError("looked at")


def test_a_step_s_loss_is_looked_at_only_when_it_is_shown():
    from penstock.training import TrainingProgress

    callback = TrainingProgress()
    callback.set_params({"epochs": 1, "steps": 1000})
    callback.on_epoch_begin(0)
    for step in range(1000):
        callback.on_train_batch_end(step, Untouchable())
    texts = []
    with telling(texts.append):
        callback.on_train_begin()
        callback.on_epoch_begin(0)
        callback.on_train_batch_end(0, Untouchable())
    assert texts == ["epoch 1 of 1"]
