import keras
import numpy as np
import pytest

from penstock.training import FnArgs, HalveWhenWorse, fit

pytestmark = pytest.mark.tensorflow


class _Told(keras.metrics.Metric):
    """A metric that takes the values it is told, one an epoch."""

    def __init__(self, values, name="told"):
        super().__init__(name=name)
        self.values = list(values)
        self.epoch = self.add_weight(shape=(), initializer="zeros", name="epoch")

    def update_state(self, y_true, y_pred, sample_weight=None):
        pass

    def result(self):
        return keras.ops.take(
            keras.ops.convert_to_tensor(self.values), keras.ops.cast(self.epoch, "int32")
        )

    def reset_state(self):
        pass


class _NextEpoch(keras.callbacks.Callback):
    def __init__(self, metric):
        super().__init__()
        self.metric = metric

    def on_epoch_end(self, epoch, logs=None):
        self.metric.epoch.assign_add(1)


def model_with(values):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    metric = _Told(values)
    model.compile(keras.optimizers.SGD(0.8), "mse", metrics=[metric])
    return model, metric


X = np.zeros((4, 1), "float32")


def train(values, halve, epochs=None, **options):
    model, metric = model_with(values)
    history = fit(
        model, (X, X), epochs=epochs or len(values), callbacks=[halve, _NextEpoch(metric)],
        doctor="off", **options,
    )  # fmt: skip
    return history.history["learning_rate"], float(model.optimizer.learning_rate)


def test_it_halves_after_a_fall_and_holds_after_a_rise():
    """The sequence that the rule gives: each epoch's rate follows from the epochs before it."""
    accuracy = [0.50, 0.60, 0.55, 0.55, 0.58, 0.40, 0.30, 0.90]
    rates, last = train(accuracy, HalveWhenWorse("told"))
    #            first  rise  fall  equal  rise  fall  fall  rise
    assert rates == pytest.approx([0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2, 0.1])
    assert last == pytest.approx(0.1)


def test_it_compares_with_the_last_epoch_and_not_with_the_best_one():
    """Where ReduceLROnPlateau would go on lowering, a slow recovery holds the rate."""
    _, last = train([0.9, 0.5, 0.6, 0.7], HalveWhenWorse("told"))
    assert last == pytest.approx(0.4)


def test_a_lower_loss_is_better():
    _, last = train([1.0, 2.0, 1.5], HalveWhenWorse("told", mode="min"))
    assert last == pytest.approx(0.4)
    assert HalveWhenWorse("val_loss")._sign == -1
    assert HalveWhenWorse("val_accuracy")._sign == 1


def test_there_is_a_smallest_rate():
    _, last = train([4.0, 3.0, 2.0, 1.0], HalveWhenWorse("told", factor=0.1, min_lr=0.05))
    assert last == pytest.approx(0.05)


def test_a_training_that_goes_on_remembers_the_last_epoch(tmp_path):
    """Killed after the second epoch: the third one's fall is seen, and the rate is that of before."""
    accuracy = [0.6, 0.5, 0.4, 0.5]

    class Killed(Exception):
        pass

    class Kill(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise Killed

    def run(*more):
        model, metric = model_with(accuracy)
        fn_args = FnArgs(checkpoint_dir=str(tmp_path), model_run_dir=str(tmp_path / "run"), seed=1)
        fit(
            model, (X, X), fn_args=fn_args, epochs=4, checkpoint_every="epoch", doctor="off",
            callbacks=[HalveWhenWorse("told"), _NextEpoch(metric), *more],
        )  # fmt: skip
        return float(model.optimizer.learning_rate)

    with pytest.raises(Killed):
        run(Kill())
    assert run() == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factor": 1.0}, "factor must be between 0 and 1. Received: factor=1.0"),
        ({"min_lr": -1}, "min_lr must be 0 or more. Received: min_lr=-1"),
        ({"mode": "up"}, 'mode must be "auto", "min" or "max". Received: mode=\'up\''),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        HalveWhenWorse(**arguments)


def test_a_metric_that_is_not_there_is_an_error_with_those_that_are():
    with pytest.raises(
        ValueError, match=r"looks at 'val_accuracy', .* Its logs: \['loss', 'told'\]"
    ):
        train([1.0], HalveWhenWorse())
