"""`fit` gives what Keras's `fit` gives, on the backend that Keras runs on.

`test_fit_on_other_backends.py` runs this file on JAX and PyTorch, in a process of its own.
"""

import os

import numpy as np
import pytest

from penstock.training import FnArgs, fit

pytestmark = pytest.mark.tensorflow

keras = pytest.importorskip("keras")
BACKEND = keras.config.backend()

ROWS = 40
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(ROWS, 4)).astype("float32")
CLASSES = RANDOM.integers(0, 3, ROWS)
Y = (X[:, :1] - X[:, 1:2]).astype("float32")
WEIGHTS = RANDOM.uniform(0.5, 2, ROWS).astype("float32")


def regression(optimizer="sgd", **compiled):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)]
    )
    model.compile(optimizer, "mse", **compiled)
    return model


def classifier(optimizer="sgd", **compiled):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((4,)), keras.layers.Dense(5, "relu"), keras.layers.BatchNormalization()]
    layers += [keras.layers.Dropout(0.4), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential(layers)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **compiled)
    return model


def compare(build, data, *, keras_arguments=None, ours=None, **arguments):
    """Train the same model by Keras and by us, and compare weights and history."""
    settings = {"epochs": 2, "shuffle": False, "batch_size": 16, **arguments}
    theirs, mine = build(), build()
    x, y, *weights = data
    # Keras builds it within the first step on TensorFlow, where ScheduleFreeAdamW starts anew each time.
    if theirs.built:
        theirs.optimizer.build(theirs.trainable_variables)
    # Dropout on PyTorch draws from the generator of the process, and so does Keras's reader of arrays.
    reseed = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs=None: keras.utils.set_random_seed(batch)
    )
    keras_arguments, ours = (
        {"callbacks": [], **(keras_arguments or {})},
        {"callbacks": [], **(ours or {})},
    )
    for each in keras_arguments, ours:
        each["callbacks"] = [reseed, *each["callbacks"]]
    expected = theirs.fit(
        x,
        y,
        sample_weight=weights[0] if weights else None,
        verbose=0,
        **settings,
        **keras_arguments,
    )
    found = fit(mine, data, doctor="off", **settings, **ours)
    assert set(found.history) == set(expected.history)
    assert found.epoch == expected.epoch
    for name, values in expected.history.items():
        np.testing.assert_allclose(found.history[name], values, rtol=1e-5, atol=1e-7, err_msg=name)
    for got, wanted in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-7)
    return mine, found


OPTIMIZERS = sorted(
    name
    for name, value in vars(keras.optimizers).items()
    if isinstance(value, type)
    and issubclass(value, keras.optimizers.Optimizer)
    and name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer")
)


# Without compiling a case takes a tenth of a second on TensorFlow.
@pytest.mark.parametrize("eager", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimizer_gives_the_weights_of_keras(name, eager):
    optimizer = getattr(keras.optimizers, name)
    compare(lambda: regression(optimizer(0.01), run_eagerly=eager), (X, Y), epochs=1)


def test_there_are_all_of_keras_optimizers():
    assert {"Adam", "AdamW", "Ftrl", "Lion", "RMSprop", "SGD"} <= set(OPTIMIZERS)


@pytest.mark.parametrize(
    "settings",
    [
        {"clipnorm": 0.01},
        {"global_clipnorm": 0.01},
        {"clipvalue": 0.001},
        {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2},
        {"weight_decay": 0.1},
        {"loss_scale_factor": 8.0},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_settings_of_the_optimizer_count(settings):
    sgd = keras.optimizers.SGD
    compare(lambda: regression(sgd(0.1, momentum=0.9, **settings), run_eagerly=True), (X, Y))


def test_gradients_are_accumulated():
    mine = regression(keras.optimizers.Adam(0.01))
    fit(mine, (X, Y), epochs=2, shuffle=False, batch_size=8, gradient_accumulation_steps=5)
    theirs = regression(keras.optimizers.Adam(0.01, gradient_accumulation_steps=5))
    theirs.fit(X, Y, epochs=2, shuffle=False, batch_size=8, verbose=0)
    for got, wanted in zip(mine.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-7)
    with pytest.raises(ValueError, match="already, which cannot change"):
        fit(mine, (X, Y), gradient_accumulation_steps=2)


def test_dropout_normalization_validation_and_metrics_are_those_of_keras():
    compare(lambda: classifier("adam"), (X, CLASSES), validation_data=(X[:20], CLASSES[:20]))


def test_rows_have_weights():
    compare(lambda: regression("adam", weighted_metrics=["mae"], run_eagerly=True), (X, Y, WEIGHTS))


def test_classes_have_weights():
    compare(
        lambda: classifier("adam", run_eagerly=True),
        (X, CLASSES),
        class_weight={0: 1.0, 1: 3.0, 2: 0.5},
    )


def test_weights_of_classes_and_of_rows_are_multiplied():
    both = classifier(run_eagerly=True)
    fit(both, (X, CLASSES, WEIGHTS), class_weight={1: 3.0}, shuffle=False)
    rows = classifier(run_eagerly=True)
    fit(rows, (X, CLASSES, WEIGHTS * np.where(CLASSES == 1, 3, 1)), shuffle=False)
    for got, wanted in zip(both.get_weights(), rows.get_weights(), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-7)


def two_in_two_out():
    keras.utils.set_random_seed(2)
    inputs = {"a": keras.Input((2,), name="a"), "b": keras.Input((2,), name="b")}
    joined = keras.layers.Concatenate()([inputs["a"], inputs["b"]])
    outputs = {
        "size": keras.layers.Dense(1, name="size")(joined),
        "kind": keras.layers.Dense(3, "softmax", name="kind")(joined),
    }
    model = keras.Model(inputs, outputs)
    model.compile(
        "adam",
        {"size": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"size": 0.3, "kind": 2.0},
        metrics={"kind": ["accuracy"]},
    )
    return model


def test_several_inputs_and_outputs():
    data = ({"a": X[:, :2], "b": X[:, 2:]}, {"size": Y, "kind": CLASSES})
    _, history = compare(two_in_two_out, data, validation_data=data)
    assert {"kind_loss", "size_loss", "kind_accuracy", "val_kind_loss"} <= set(history.history)


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_a_schedule_and_callbacks_change_the_learning_rate():
    steps = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    compare(lambda: regression(keras.optimizers.SGD(steps), run_eagerly=True), (X, Y), epochs=3)

    def callbacks():
        return [
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5),
            keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=10),
        ]

    compare(
        lambda: regression(keras.optimizers.SGD(0.1), run_eagerly=True),
        (X, Y),
        epochs=4,
        keras_arguments={"callbacks": callbacks()},
        ours={"callbacks": callbacks()},
    )


def test_early_stopping_restores_the_best_weights():
    def callbacks():
        return [keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)]

    _, history = compare(
        lambda: regression(keras.optimizers.SGD(3.0), run_eagerly=True),
        (X, Y),
        epochs=9,
        keras_arguments={"callbacks": callbacks()},
        ours={"callbacks": callbacks()},
    )
    assert len(history.epoch) < 9


@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "torch", reason="compiling takes minutes there")
def test_models_compiled_by_xla_and_run_eagerly():
    compare(lambda: regression("adam", jit_compile=True), (X, Y))
    compare(lambda: regression("adam", run_eagerly=True), (X, Y), epochs=1)


def test_mixed_precision_scales_the_loss():
    def build():
        keras.config.set_dtype_policy("mixed_float16")
        try:
            return regression(keras.optimizers.Adam(0.01))
        finally:
            keras.config.set_dtype_policy("float32")

    mine, _ = compare(build, (X, Y))
    assert type(mine.optimizer).__name__ == "LossScaleOptimizer"


class OwnStep(keras.Model):
    """A model with a loss and a metric of its own."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.seen = keras.metrics.Sum(name="seen")

    def call(self, x):
        return self.dense(x)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.ops.abs(y - y_pred)) + 0.1 * keras.ops.sum(self.dense.kernel**2)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        self.seen.update_state(keras.ops.ones_like(y))
        return super().compute_metrics(x, y, y_pred, sample_weight)


def test_a_model_that_is_not_built_and_has_a_loss_of_its_own():
    def build():
        keras.utils.set_random_seed(3)
        model = OwnStep()
        model.compile("sgd")
        return model

    _, history = compare(build, (X, Y))
    assert history.history["seen"] == [ROWS, ROWS]


def test_rows_are_shuffled_by_the_seed_anew_in_each_epoch():
    def weights(seed):
        model = regression(keras.optimizers.SGD(0.1), run_eagerly=True)
        fit(model, (X, Y), epochs=2, batch_size=8, fn_args=FnArgs(seed=seed))
        return model.get_weights()[0]

    assert np.array_equal(weights(7), weights(7))
    assert not np.array_equal(weights(7), weights(8))


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        rows = slice(index * 10, (index + 1) * 10)
        return X[rows], Y[rows]


def test_data_of_every_kind_give_the_same():
    def trained(data, **arguments):
        model = regression("adam")
        history = fit(model, data, epochs=2, **arguments)
        return [*model.get_weights(), np.array(history.history["loss"])]

    expected = trained((X, Y), batch_size=10, shuffle=False)
    batches = Sequence()
    kinds = [Sequence(), (batches[i % 4] for i in range(8))]
    if BACKEND == "tensorflow":
        import tensorflow as tf

        dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(10)
        kinds += [dataset, dataset.repeat(), dataset.filter(lambda x, y: True)]
    for kind in kinds:
        endless = not isinstance(kind, Sequence) and "Filter" not in type(kind).__name__
        found = trained(kind, steps_per_epoch=4 if endless else None)
        for got, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-7, err_msg=str(kind))


def test_epochs_shorter_and_longer_than_the_data_go_on_where_the_last_one_ended():
    def trained(**arguments):
        model = regression("sgd", run_eagerly=True)
        history = fit(model, (X, Y), batch_size=10, shuffle=False, **arguments)
        return model.get_weights()[0], len(history.epoch)

    whole, _ = trained(epochs=3)
    for epochs, steps in ((4, 3), (2, 6), (12, 1)):
        weights, count = trained(epochs=epochs, steps_per_epoch=steps)
        np.testing.assert_allclose(weights, whole, rtol=1e-6)
        assert count == epochs


class Counts(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_batch_begin(self, batch, logs=None):
        self.calls.append(("begin", batch))

    def on_batch_end(self, batch, logs=None):
        self.calls.append(("end", batch, sorted(dict(logs)), float(logs["loss"]) > 0))

    def on_test_batch_end(self, batch, logs=None):
        self.calls.append(("test", batch, logs["loss"] > 0))


def test_callbacks_are_called_as_by_keras_with_the_weights_of_the_moment():
    mine, theirs = Counts(), Counts()
    seen = []
    looks = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(looks.model.get_weights()[0].sum())
    )
    data = {"epochs": 2, "batch_size": 16, "shuffle": False, "validation_data": (X, Y)}
    model = regression()
    fit(model, (X, Y), callbacks=[mine, looks], **data)
    regression().fit(X, Y, callbacks=[theirs], verbose=0, **data)
    assert mine.calls == theirs.calls
    assert len(set(seen)) == 6
    assert mine.params["epochs"] == 2
    assert mine.params["steps"] == 3


def test_a_callback_stops_within_an_epoch():
    model = regression()

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    history = fit(model, (X, Y), batch_size=10, epochs=5, callbacks=[Stop()])
    assert history.epoch == [0]
    assert int(model.optimizer.iterations) == 2


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")
def test_model_checkpoint_and_csv_logger_write_their_files(tmp_path):
    model = regression()
    fit(
        model,
        (X, Y),
        epochs=2,
        callbacks=[
            keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "loss", save_best_only=True),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        ],
    )
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    loaded = keras.models.load_model(tmp_path / "best.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number, 1 or more. Received: 0"),
        ({"steps_per_epoch": 1.5}, "steps_per_epoch must be a whole number"),
        ({"class_weight": {"a": 1.0}}, "class_weight maps classes"),
        ({"gradient_accumulation_steps": 0}, "gradient_accumulation_steps must be"),
        ({"callbacks": [keras.callbacks.BackupAndRestore("x")]}, "BackupAndRestore has no effect"),
        ({"callbacks": [print]}, "callbacks must be Keras callbacks"),
        ({"checkpoint_every": 5}, "has no effect without fn_args.checkpoint_dir"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        fit(regression(), (X, Y), **arguments)


def test_data_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="same number of rows"):
        fit(regression(), (X, Y[:3]))
    with pytest.raises(TypeError, match="Received: str"):
        fit(regression(), "data")
    with pytest.raises(ValueError, match="ended after 2 batches, and a generator cannot start"):
        fit(regression(), iter([(X, Y)] * 2), epochs=2, steps_per_epoch=2)
    with pytest.raises(ValueError, match="compiled Keras model"):
        fit(keras.Sequential([keras.layers.Dense(1)]), (X, Y))


def test_the_backend_is_the_one_that_was_asked_for():
    assert os.environ.get("KERAS_BACKEND", "tensorflow") == BACKEND
