"""A training loop of one's own: the state of a space shuttle's radiator, from nine sensors.

User code of `pipelines/custom_loop.py`. Keras's `fit` would do what this file does by hand, and
`baseline_fn` lets it: both end equally well. Take the pieces when `fit` does not do what you need.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from keras import ops
from modules.shuttle import SENSORS, STATE, scaled, transformed

from penstock.training import (
    Batches,
    Checkpoints,
    FnArgs,
    TrainingProgress,
    export_model,
)
from penstock.transform import fill_missing

LABEL = transformed(STATE)
BATCH_SIZE = 64
ACCUMULATED = 2  # batches for one update of the weights
EPOCHS = 6
CLIP_NORM = 1.0
LEARNING_RATE = 0.01


def preprocessing_fn(inputs):
    state = tft.compute_and_apply_vocabulary(fill_missing(inputs[STATE]), vocab_filename=STATE)
    return {**scaled(inputs), LABEL: state}


# --- A layer, a loss, a metric, a schedule and a callback of one's own ---------------------------------
#
# Each is a class that Keras can save: its arguments are what `get_config` returns, and its name is
# registered, so that the `.keras` file finds it again.


@keras.saving.register_keras_serializable("shuttle")
class GatedDense(keras.layers.Layer):
    """A dense layer whose outputs are let through by a second one: `relu(x W + b) * sigmoid(x V)`."""

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        # Weights are made here, when the width of the input is known.
        shape = (input_shape[-1], self.units)
        self.kernel = self.add_weight(shape=shape, initializer="he_normal", name="kernel")
        self.gate = self.add_weight(shape=shape, initializer="glorot_uniform", name="gate")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, inputs):
        values = ops.relu(ops.matmul(inputs, self.kernel) + self.bias)
        return values * ops.sigmoid(ops.matmul(inputs, self.gate))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("shuttle")
class SparseFocalLoss(keras.losses.Loss):
    """Cross-entropy in which rows that the model gets right count less: `-(1 - p) ** gamma * log p`."""

    def __init__(self, gamma: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.gamma = gamma

    def call(self, y_true, y_pred):
        index = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
        right = ops.take_along_axis(y_pred, index, axis=1)[:, 0]
        right = ops.clip(right, 1e-7, 1.0)
        return -((1.0 - right) ** self.gamma) * ops.log(right)

    def get_config(self):
        return {**super().get_config(), "gamma": self.gamma}


@keras.saving.register_keras_serializable("shuttle")
class MacroRecall(keras.metrics.Metric):
    """The mean recall of the classes that occur: rare ones count as much as frequent ones."""

    def __init__(self, classes: int, name: str = "macro_recall", **kwargs):
        super().__init__(name=name, **kwargs)
        self.classes = classes
        # Under a strategy each replica counts for itself, and a result is the sum.
        self.hits = self.add_variable((classes,), "zeros", name="hits")
        self.rows = self.add_variable((classes,), "zeros", name="rows")

    def update_state(self, y_true, y_pred, sample_weight=None):
        index = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        actual = ops.one_hot(index, self.classes)
        hit = ops.cast(ops.equal(index, ops.argmax(y_pred, axis=-1)), actual.dtype)
        self.hits.assign_add(ops.sum(actual * hit[:, None], axis=0))
        self.rows.assign_add(ops.sum(actual, axis=0))

    def result(self):
        seen = ops.cast(self.rows > 0, self.rows.dtype)
        recalls = self.hits / ops.maximum(self.rows, 1.0)
        return ops.sum(recalls) / ops.maximum(ops.sum(seen), 1.0)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


@keras.saving.register_keras_serializable("shuttle")
class WarmUpThenCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Rises in a line to the peak, and falls to zero on half a cosine."""

    def __init__(self, peak: float, warm_up: int, steps: int):
        self.peak, self.warm_up, self.steps = peak, warm_up, steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rising = step / max(1, self.warm_up)
        done = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        falling = 0.5 * (1.0 + ops.cos(np.pi * ops.clip(done, 0.0, 1.0)))
        return self.peak * ops.minimum(rising, falling)

    def get_config(self):
        return {"peak": self.peak, "warm_up": self.warm_up, "steps": self.steps}


class StopAt(keras.callbacks.Callback):
    """Ends the training when a metric has reached a value."""

    def __init__(self, metric: str, value: float):
        super().__init__()
        self.metric, self.value = metric, value

    def on_epoch_end(self, epoch, logs=None):
        if logs[self.metric] >= self.value:
            self.model.stop_training = True


# --- The model and the loop --------------------------------------------------------------------------


def build_model(states: int) -> keras.Model:
    inputs = {transformed(name): keras.Input((1,), name=transformed(name)) for name in SENSORS}
    hidden = keras.layers.Concatenate()(list(inputs.values()))
    hidden = GatedDense(32)(hidden)
    hidden = GatedDense(32)(hidden)
    return keras.Model(inputs, keras.layers.Dense(states, activation="softmax")(hidden))


class Loop:
    """Trains a model with a `tf.GradientTape`, on one device or on the replicas of a strategy.

    Args:
        model: The model, built in the scope of the strategy, as are all the others.
        optimizer: It applies the gradients; clipping and accumulating are done here.
        loss: The loss of rows.
        metrics: What is measured in training, and in validation with `val_` before its name.
        strategy: A `tf.distribute` strategy.
        jit_compile: Whether XLA compiles the gradients' computation.
    """

    def __init__(self, model, optimizer, loss, metrics, strategy, *, jit_compile=False):
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self.metrics, self.strategy = metrics, strategy
        self.gradients = tf.function(self.gradients, jit_compile=jit_compile)

    def gradients(self, features, labels, rows):
        """Returns this replica's part of the gradients, of the loss, and the predictions."""
        with tf.GradientTape() as tape:
            predictions = self.model(features, training=True)
            # Not the mean of the rows at hand: each replica has only a part of all of them.
            loss = ops.sum(self.loss.call(labels, predictions)) / rows
        return tape.gradient(loss, self.model.trainable_variables), loss, predictions

    def update(self, batches):
        """Makes one update of the weights from several batches; runs on each replica."""
        replica = tf.distribute.get_replica_context()
        rows = float(BATCH_SIZE * len(batches))
        totals, total_loss = [0.0] * len(self.model.trainable_variables), 0.0
        for features, labels in batches:
            gradients, loss, predictions = self.gradients(features, labels, rows)
            totals = [total + each for total, each in zip(totals, gradients, strict=True)]
            total_loss += loss
            for metric in self.metrics:
                metric.update_state(labels, predictions)
        # Clipped must be what all replicas found together, so they add up before.
        totals = replica.all_reduce(tf.distribute.ReduceOp.SUM, totals)
        totals, norm = tf.clip_by_global_norm(totals, CLIP_NORM)
        # Keras's optimizer adds up the replicas' gradients once more.
        replicas = replica.num_replicas_in_sync
        self.optimizer.apply([total / replicas for total in totals], self.model.trainable_variables)
        return total_loss, norm

    @tf.function
    def train_on(self, batches):
        losses, norms = self.strategy.run(self.update, args=(batches,))
        loss = self.strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)
        return loss, self.strategy.experimental_local_results(norms)[0]

    @tf.function
    def evaluate_on(self, batch):
        def measure(features, labels):
            predictions = self.model(features, training=False)
            for metric in self.metrics:
                metric.update_state(labels, predictions)
            return ops.sum(self.loss.call(labels, predictions)), tf.shape(predictions)[0]

        losses, rows = self.strategy.run(measure, args=batch)
        add = tf.distribute.ReduceOp.SUM
        return self.strategy.reduce(add, losses, None), self.strategy.reduce(add, rows, None)

    def fit(self, train: Batches, evaluation: Batches, epochs: int, callbacks) -> dict:
        """Trains for some epochs and returns the history, as Keras's `fit` does."""
        steps = train.steps_per_epoch // ACCUMULATED
        # What callbacks look at, and what Keras's `fit` hands them.
        self.model.optimizer = self.optimizer
        self.model.stop_training = False
        called = keras.callbacks.CallbackList(
            callbacks, add_history=True, model=self.model, epochs=epochs, steps=steps
        )
        called.on_train_begin()
        for epoch in range(self.model._initial_epoch or 0, epochs):
            called.on_epoch_begin(epoch)
            logs = self.train_epoch(train.as_tf_dataset(first_epoch=epoch), steps, called)
            logs |= self.validate(evaluation.as_tf_dataset(first_epoch=0))
            called.on_epoch_end(epoch, logs)
            if self.model.stop_training:
                break
        called.on_train_end()
        return self.model.history.history

    def train_epoch(self, dataset, steps: int, called) -> dict[str, float]:
        losses, norms = [], []
        batches = iter(self.strategy.experimental_distribute_dataset(dataset))
        for step in range(steps):
            called.on_train_batch_begin(step)
            loss, norm = self.train_on(tuple(next(batches) for _ in range(ACCUMULATED)))
            # Tensors, not numbers: Python does not wait for the device.
            losses.append(loss)
            norms.append(norm)
            called.on_train_batch_end(step, {"loss": loss})
        means = {"loss": np.mean(losses), "gradient_norm": np.mean(norms)}
        return {**{name: float(mean) for name, mean in means.items()}, **self.results("")}

    def validate(self, dataset) -> dict[str, float]:
        total, rows = 0.0, 0
        for batch in self.strategy.experimental_distribute_dataset(dataset):
            loss, count = self.evaluate_on(batch)
            total, rows = total + float(loss), rows + int(count)
        return {"val_loss": total / rows, **self.results("val_")}

    def results(self, prefix: str) -> dict[str, float]:
        """Returns the metrics, and lets them begin anew."""
        found = {prefix + metric.name: float(metric.result()) for metric in self.metrics}
        for metric in self.metrics:
            metric.reset_state()
        return found


def schedule(steps: int) -> WarmUpThenCosine:
    return WarmUpThenCosine(LEARNING_RATE, warm_up=steps // 10, steps=steps)


def run_fn(fn_args: FnArgs) -> dict:
    epochs = int(fn_args.custom_config.get("epochs", EPOCHS))
    names = fn_args.vocabulary(STATE)
    train = fn_args.dataset("train", batch_size=BATCH_SIZE, label_key=LABEL, drop_remainder=True)
    evaluation = fn_args.dataset("eval", batch_size=BATCH_SIZE, label_key=LABEL)
    with fn_args.strategy.scope():
        model = build_model(len(names))
        updates = train.steps_per_epoch // ACCUMULATED * epochs
        optimizer = keras.optimizers.Adam(schedule(updates))
        optimizer.build(model.trainable_variables)
        loop = Loop(
            model,
            optimizer,
            SparseFocalLoss(),
            [keras.metrics.SparseCategoricalAccuracy(name="accuracy"), MacroRecall(len(names))],
            fn_args.strategy,
            jit_compile=bool(fn_args.jit_compile),
        )
        stop = StopAt("val_macro_recall", 0.9995)
        callbacks = [stop, TrainingProgress(), Checkpoints(fn_args, [stop])]
        history = loop.fit(train, evaluation, epochs, callbacks)

    def name_state(probabilities):
        return {
            "probabilities": probabilities,
            "state": tf.gather(tf.constant(names), tf.argmax(probabilities, axis=1)),
        }

    export_model(
        model,
        fn_args.serving_model_dir,
        transform_output=fn_args.transform_graph_path,
        label_key=[STATE, "anomalous"],
        postprocess=name_state,
        class_names=STATE,
    )
    return history


def baseline_fn(train: Mapping[str, np.ndarray], test: Mapping[str, np.ndarray]) -> np.ndarray:
    """The same model, loss, schedule, clipping and accumulation, by Keras's own `fit`."""

    def matrix(rows: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.arcsinh(np.column_stack([np.ravel(rows[name]) for name in SENSORS]).astype(float))

    learned = matrix(train)
    mean, deviation = learned.mean(axis=0), learned.std(axis=0)

    def features(rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        numbers = (matrix(rows) - mean) / deviation
        return {transformed(name): numbers[:, [i]] for i, name in enumerate(SENSORS)}

    # The states in the order of their names.
    states, index = np.unique(np.ravel(train[STATE]), return_inverse=True)
    # Where Keras accumulates, its schedules count batches, not updates.
    batches = len(index) // BATCH_SIZE * EPOCHS
    model = build_model(len(states))
    model.compile(
        keras.optimizers.Adam(
            schedule(batches),
            global_clipnorm=CLIP_NORM,
            gradient_accumulation_steps=ACCUMULATED,
        ),
        loss=SparseFocalLoss(),
    )
    model.fit(features(train), index, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    return model.predict(features(test), verbose=0)
