from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


def regression(rows=256):
    generator = np.random.default_rng(1)
    x = generator.normal(size=(rows, 4)).astype("float32")
    y = x @ np.array([[1.0], [-2.0], [0.5], [3.0]], "float32")
    return x, y


def compiled(optimizer=None):
    import keras

    keras.utils.set_random_seed(3)
    layers = [keras.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dropout(0.1)]
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model.compile(optimizer or keras.optimizers.SGD(0.123, momentum=0.9), "mse")
    return model


def test_it_finds_a_rate_that_trains_and_leaves_no_trace():
    import keras

    from penstock.training import learning_rate_range
    from penstock.training.checkpoints.variables import read_variables

    model = compiled()
    model.evaluate(*regression(32), verbose=0)
    model.optimizer.build(model.trainable_variables)
    before = read_variables(model)
    found = learning_rate_range(model, regression(), batch_size=32, steps=80, lowest=1e-5)
    after = read_variables(model)
    for kind, values in before.items():
        for mine, kept in zip(values, after[kind], strict=True):
            np.testing.assert_array_equal(mine, kept)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.123)
    assert len(found.rates) == len(found.losses) == len(found.smoothed)
    assert found.diverged
    assert found.rates[0] == pytest.approx(1e-5)
    assert found.rates[-1] < 10.0
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e6) / 79, rtol=1e-4)
    losses = {}
    for rate in (found.suggested, found.suggested / 100, found.rates[-1]):
        tried = compiled(keras.optimizers.SGD(rate, momentum=0.9))
        history = tried.fit(*regression(), epochs=10, batch_size=32, verbose=0)
        losses[rate] = history.history["loss"][-1]
    assert losses[found.suggested] < losses[found.suggested / 100] / 2
    assert not losses[found.rates[-1]] < losses[found.suggested]


def test_what_cannot_be_tested_is_refused():
    import keras

    from penstock.training import learning_rate_range

    data = regression(64)
    scheduled = compiled(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10)))
    with pytest.raises(ValueError, match="this optimizer has a schedule"):
        learning_rate_range(scheduled, data)
    with pytest.raises(ValueError, match=r"needs a compiled Keras model.*Received: Sequential"):
        learning_rate_range(keras.Sequential([keras.layers.Dense(1)]), data)
    trained = compiled()
    trained.train_on_batch(*data)
    with pytest.raises(ValueError, match="has taken 1 steps, whose averages and momentum"):
        learning_rate_range(trained, data)
    model = compiled()
    for arguments, message in [
        ({"lowest": 1.0, "highest": 0.1}, r"highest above lowest. Received: lowest=1.0"),
        ({"steps": 3}, r"steps must be 10 or more. Received: steps=3"),
        ({"smoothing": 1.0}, r"smoothing is from 0 to below 1"),
        ({"diverges_at": 1.0}, r"diverges_at must be above 1"),
        ({"lowest": 50.0, "highest": 500.0}, r"The loss fell at no learning rate from 50.0 on"),
    ]:
        with pytest.raises(ValueError, match=message):
            learning_rate_range(model, data, **arguments)
