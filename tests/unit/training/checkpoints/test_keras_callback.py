import numpy as np
import pytest

from penstock.training import Checkpoints, FnArgs

pytestmark = pytest.mark.tensorflow

keras = pytest.importorskip("keras")

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = X[:, :1] * 2


class Stopped(BaseException):
    """Stands for a signal 9."""


class StopIn(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise Stopped


def train(folder, stop_in=-1):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.3), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    early = keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
    checkpoints = Checkpoints(FnArgs(checkpoint_dir=str(folder)), [early], every="epoch")
    history = model.fit(
        X,
        Y,
        epochs=4,
        batch_size=8,
        shuffle=False,
        verbose=0,
        callbacks=[early, checkpoints, StopIn(stop_in)],
    )
    return model, history


def test_keras_fit_goes_on_after_the_last_epoch(tmp_path):
    expected, history = train(tmp_path / "unbroken")
    with pytest.raises(Stopped):
        train(tmp_path / "killed", stop_in=2)
    model, found = train(tmp_path / "killed")
    for got, wanted in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert found.history == history.history
    assert found.epoch == [0, 1, 2, 3]
    # The next training of the same model begins at its beginning.
    assert model.fit(X, Y, epochs=1, verbose=0).epoch == [0]


def test_without_a_folder_nothing_happens_and_every_is_checked():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    assert model.fit(X, Y, verbose=0, callbacks=[Checkpoints(FnArgs())]).epoch == [0]
    with pytest.raises(ValueError, match="Received: 5"):
        Checkpoints(FnArgs(), every=5)
