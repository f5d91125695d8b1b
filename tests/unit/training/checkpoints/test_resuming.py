"""A training that is stopped anywhere goes on where it was, to the same bits.

`test_fit_on_other_backends.py` runs this file on JAX and PyTorch, too.
"""

import random

import numpy as np
import pytest

from penstock import stopping
from penstock.training import FnArgs, fit
from penstock.training.checkpoints.folder import CheckpointFolder

pytestmark = pytest.mark.tensorflow

keras = pytest.importorskip("keras")

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(44, 4)).astype("float32")
Y = RANDOM.integers(0, 3, 44)
EPOCHS, STEPS = 3, 6  # of 8 rows; the last batch has 4


class Stopped(BaseException):
    """Stands for a signal 9: nothing after it runs, and what was written is what there is."""


class StopAfter(keras.callbacks.Callback):
    """Stops the training after some steps, or at the end of validation."""

    def __init__(self, steps=-1, validations=-1):
        super().__init__()
        self.steps, self.validations = steps, validations

    def on_train_batch_end(self, batch, logs=None):
        self.steps -= 1
        if self.steps == 0:
            raise Stopped

    def on_test_end(self, logs=None):
        self.validations -= 1
        if self.validations == 0:
            raise Stopped


class Noise(keras.callbacks.Callback):
    """Draws from the global generators, and keeps a state of its own."""

    def __init__(self):
        super().__init__()
        self.drawn = []

    def on_train_batch_end(self, batch, logs=None):
        self.drawn.append((random.random(), float(np.random.rand())))

    def get_state(self):
        return {"drawn": list(self.drawn)}

    def set_state(self, state):
        self.drawn = list(state["drawn"])


def build(units=6, optimizer="adam"):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(units, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(folder=None, stop=None, model=None, **arguments):
    """Train; return the model, the history, and what the noise drew."""
    noise = Noise()
    early = keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    model = model or build()
    history = fit(
        model,
        (X, Y),
        fn_args=FnArgs(seed=4, checkpoint_dir=folder and str(folder), doctor="off"),
        validation_data=(X[:20], Y[:20]),
        batch_size=8,
        callbacks=[early, noise, *([stop] if stop else [])],
        **{"epochs": EPOCHS, "checkpoint_every": 1 if folder else None, **arguments},
    )
    return model, history, noise.drawn


@pytest.fixture(scope="module")
def unbroken():
    return train()


def assert_same(found, expected):
    (model, history, drawn), (wanted_model, wanted_history, wanted_drawn) = found, expected
    for got, wanted in zip(model.get_weights(), wanted_model.get_weights(), strict=True):
        np.testing.assert_array_equal(got, wanted)
    for got, wanted in zip(
        model.optimizer.variables, wanted_model.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(got.numpy(), wanted.numpy())
    assert history.history == wanted_history.history
    assert history.epoch == wanted_history.epoch
    assert drawn == wanted_drawn


def test_a_training_with_checkpoints_is_the_same_as_one_without(tmp_path, unbroken):
    assert_same(train(tmp_path), unbroken)


class AskAfter(keras.callbacks.Callback):
    """Asks the process to stop after some steps, as SIGTERM does."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        self.steps -= 1
        if self.steps == 0:
            assert stopping.ask()


@pytest.mark.parametrize("steps", [4, STEPS, STEPS + 1])
def test_a_training_that_is_asked_to_stop_writes_a_checkpoint_first(tmp_path, unbroken, steps):
    with stopping.fresh(), pytest.raises(stopping.Stopped):
        train(tmp_path, AskAfter(steps), checkpoint_every=1000)
    assert not stopping.ask()
    (folder,) = tmp_path.iterdir()
    assert CheckpointFolder(str(folder)).newest()["position"]["total"] == steps
    with stopping.fresh():
        pass
    assert_same(train(tmp_path), unbroken)


def test_without_checkpoints_it_is_interrupted():
    with stopping.fresh():
        model = build()
        asked = []
        ask = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: asked.append(stopping.ask())
        )
        fit(model, (X, Y), fn_args=FnArgs(seed=4, doctor="off"), epochs=1, callbacks=[ask])
    assert not any(asked)


@pytest.mark.parametrize(
    ("steps", "every"),
    [
        (3, 1),
        (STEPS + 1, "epoch"),
        *(
            pytest.param(steps, every, marks=pytest.mark.slow)
            for steps in range(1, EPOCHS * STEPS + 1)
            for every in (1, 4, "epoch", None)
        ),
    ],
)
def test_a_training_that_is_killed_after_a_step_goes_on_there(tmp_path, unbroken, steps, every):
    with pytest.raises(Stopped):
        train(tmp_path, StopAfter(steps), checkpoint_every=every)
    assert_same(train(tmp_path, checkpoint_every=every), unbroken)


def test_a_training_that_is_killed_again_and_again_comes_to_its_end(tmp_path, unbroken):
    for _ in range(3):
        with pytest.raises(Stopped):
            train(tmp_path, StopAfter(steps=5))
    assert_same(train(tmp_path), unbroken)


def test_a_training_that_is_killed_in_validation_goes_on(tmp_path, unbroken):
    with pytest.raises(Stopped):
        train(tmp_path, StopAfter(validations=2))
    assert_same(train(tmp_path), unbroken)


def test_a_training_that_was_complete_is_not_trained_again(tmp_path, unbroken):
    train(tmp_path)
    calls = StopAfter(steps=1)
    assert_same(train(tmp_path, calls), unbroken)
    assert calls.steps == 1


def test_several_trainings_of_a_run_fn_are_kept_apart(tmp_path):
    def run(folder, stop=None):
        fn_args = FnArgs(seed=4, checkpoint_dir=folder and str(folder))
        model = build()
        fit(model, (X, Y), fn_args=fn_args, batch_size=8)
        model.layers[0].trainable = False
        model.compile("sgd", "sparse_categorical_crossentropy")
        fit(
            model, (X, Y), fn_args=fn_args, batch_size=8, epochs=2, callbacks=[stop] if stop else []
        )
        return model.get_weights()

    with pytest.raises(Stopped):
        run(tmp_path, StopAfter(STEPS + 2))
    for got, wanted in zip(run(tmp_path), run(None), strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_newest_checkpoint_that_is_damaged_is_skipped_with_a_word(tmp_path, unbroken, caplog):
    with pytest.raises(Stopped):
        train(tmp_path, StopAfter(STEPS + 3))
    newest = tmp_path / "fit-1" / CheckpointFolder(tmp_path / "fit-1").names()[0]
    content = (newest / "arrays.npz").read_bytes()
    (newest / "arrays.npz").write_bytes(content[:100])
    caplog.clear()
    assert_same(train(tmp_path), unbroken)
    assert f"{newest} is damaged and skipped" in caplog.text


def test_a_checkpoint_that_does_not_fit_says_what_differs(tmp_path, caplog):
    with pytest.raises(Stopped):
        train(tmp_path, StopAfter(STEPS + 3))
    train(tmp_path, model=build(units=7), epochs=1)
    assert "does not fit the code any more, so training starts anew" in caplog.text
    assert "kernel was float32[4, 6] and is float32[4, 7]" in caplog.text

    caplog.clear()
    train(tmp_path, model=build(units=7, optimizer="sgd"), epochs=1)
    assert "the optimizer was Adam and is SGD" in caplog.text
    caplog.clear()
    train(tmp_path, model=build(units=7, optimizer="sgd"), epochs=1, steps_per_epoch=2)
    assert "steps_per_epoch was None and is 2" in caplog.text


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    train(tmp_path)
    assert len(list((tmp_path / "fit-1").iterdir())) == 2


def test_a_newer_training_without_a_seed_goes_on_in_the_order_of_the_old_one(tmp_path):
    seen = []

    class Rows(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(round(logs["loss"], 6))

    def run(folder, *callbacks):
        model = build(optimizer=keras.optimizers.SGD(0.0))
        model.layers[2].rate = 0
        fn_args = FnArgs(checkpoint_dir=str(folder))
        fit(model, (X, Y), fn_args=fn_args, callbacks=callbacks, checkpoint_every=1, batch_size=8)

    with pytest.raises(Stopped):
        run(tmp_path, StopAfter(3))
    one = CheckpointFolder(tmp_path / "fit-1").newest()
    run(tmp_path)
    assert CheckpointFolder(tmp_path / "fit-1").newest()["data_seed"] == one["data_seed"]


def test_weights_that_are_not_finite_are_not_kept(tmp_path, caplog):
    class Explode(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 3:
                self.model.layers[0].bias.assign([np.nan] * 6)

    model = build()
    fn_args = FnArgs(checkpoint_dir=str(tmp_path))
    fit(
        model, (X, Y), fn_args=fn_args, checkpoint_every=1, callbacks=[Explode()], batch_size=8,
        doctor="off",
    )  # fmt: skip
    assert "the weights are no longer finite numbers" in caplog.text
    kept = CheckpointFolder(tmp_path / "fit-1").newest()
    assert kept["position"]["total"] == 3
    assert all(np.isfinite(each).all() for each in kept["variables"]["model"])


@pytest.mark.parametrize("every", [0, -1, 1.5, "step", True])
def test_checkpoint_every_is_checked(tmp_path, every):
    with pytest.raises(ValueError, match="checkpoint_every is a number of steps"):
        train(tmp_path, checkpoint_every=every)
