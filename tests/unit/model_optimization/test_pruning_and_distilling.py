"""Masks that grow and stay, students of values and of two classes, and latencies taken in turn."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.model_optimization import Distillation, Measured, Pruning, distill, judge

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def network(units, activation=None):
    import keras

    x = keras.Input((3,), name="x")
    hidden = keras.layers.Dense(units, activation="tanh", name="hidden")(x)
    return keras.Model(x, keras.layers.Dense(1, activation=activation)(hidden))


def rows(count=256):
    x = np.random.default_rng(4).normal(size=(count, 3)).astype("float32")
    return x, x[:, 0] - 2 * x[:, 1]


def test_what_was_taken_away_stays_so():
    from penstock.model_optimization.pruning import magnitude_mask

    weights = np.array([[0.1, -2.0], [0.3, 1.0]], "float32")
    first = magnitude_mask(weights, 0.25)
    assert first.tolist() == [[0, 1], [1, 1]]
    grown = np.array([[9.0, -2.0], [0.3, 1.0]], "float32")
    assert magnitude_mask(grown, 0.5, first).tolist() == [[0, 1], [0, 1]]


def test_the_sparsity_grows_by_the_cubic_schedule():
    import keras

    from penstock.model_optimization import PruneByMagnitude

    found = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            found.append(float(np.mean(self.model.get_layer("hidden").kernel.numpy() == 0)))

    keras.utils.set_random_seed(1)
    model = network(40)
    model.compile("adam", "mse")
    x, y = rows(192)
    pruning = Pruning(sparsity=0.9, epochs=1)
    model.fit(x, y, batch_size=32, callbacks=[PruneByMagnitude(pruning, 6), Watch()], verbose=0)
    # Two thirds of six batches are four: 0.9 * (1 - (1 - t)**3), in whole weights of 120.
    expected = [
        int(120 * 0.9 * (1 - (1 - t) ** 3) + 1e-9) / 120 for t in (0.25, 0.5, 0.75, 1, 1, 1)
    ]
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("classes", [False, True])
def test_a_student_learns_from_the_teacher_alone(classes):
    """The labels say nothing (weight 0): what the student knows is the teacher's."""
    import keras

    keras.utils.set_random_seed(2)
    activation = "sigmoid" if classes else None
    teacher, student = network(16, activation), network(6, activation)
    x, y = rows()
    right = (y > 0).astype("float32") if classes else y
    teacher.compile(keras.optimizers.Adam(0.05), "binary_crossentropy" if classes else "mse")
    teacher.fit(x, right, epochs=10, verbose=0)
    distillation = Distillation(hard_weight=0.0, epochs=25, learning_rate=0.05)
    distill(teacher, student, ({"x": x}, np.zeros_like(right)), distillation, classes=classes)
    apart = np.abs(teacher.predict(x, verbose=0) - student.predict(x, verbose=0)).mean()
    assert apart < (0.05 if classes else 0.2)
    assert student.loss == ("binary_crossentropy" if classes else "mean_squared_error")


def test_a_temperature_of_values_is_refused():
    with pytest.raises(ValueError, match="values have none"):
        distill(None, None, ({}, None), Distillation(temperature=2.0), classes=False)


def test_a_class_needs_probabilities():
    x, y = rows(16)
    teacher = network(4)
    with pytest.raises(ValueError, match="End it with a softmax"):
        distill(teacher, network(2), ({"x": x * 9}, y > 0), Distillation(), classes=True)


@pytest.mark.parametrize(
    ("lower", "optimized", "loss"), [(False, 0.8, 0.1), (True, 1.2, 0.3), (False, 0.95, -0.05)]
)
def test_the_loss_of_a_metric_has_a_direction(lower, optimized, loss):
    before = Measured(100, 50, (1.0, 2.0), (3.0, 4.0), 0.9)
    after = Measured(80, 10, (0.5, 2.0), (3.0, 4.0), optimized)
    bounds = {"size ratio": 0.5, "metric loss": 0.0}
    size, latency, metric = judge(
        before, after, compressed=True, lower_is_better=lower, bounds=bounds
    )
    assert (size.value, latency.value) == (0.2, 0.5)
    assert size.ok
    assert latency.ok
    assert metric.value == pytest.approx(loss)
    assert metric.ok == (loss <= 0)


def test_a_metric_that_is_no_number_is_not_blessed():
    after = Measured(80, 10, (0.5, 2.0), (3.0, 4.0), float("nan"))
    found = judge(after, after, compressed=False, lower_is_better=False, bounds={"metric loss": 1})
    assert not found[2].ok
    assert found[2].to_json()["value"] is None
