"""The doctor in a training by Keras's own `fit`."""

import json
import logging

import numpy as np
import pytest

from penstock.training import FnArgs
from penstock.training.doctor import TrainingDoctor, TrainingDoctorError, read_findings

pytestmark = pytest.mark.tensorflow


def weights(model):
    return [np.asarray(each) for each in model.get_weights()]


def fit(model, train, other, callback=None, y=None, epochs=6, **settings):
    y = train.binary if y is None else y
    validation = other.x, other.binary
    doctor = callback or TrainingDoctor(data=(train.x, y), validation_data=validation, **settings)
    model.fit(
        train.x,
        y,
        validation_data=validation,
        epochs=epochs,
        batch_size=30,
        verbose=0,
        callbacks=[doctor],
    )
    return doctor


def codes(doctor):
    return [finding.code for finding in doctor.findings]


def test_a_good_training_has_no_findings_and_the_same_weights(model, train, other):
    import keras

    keras.utils.set_random_seed(1)
    watched = model()
    assert codes(fit(watched, train, other)) == []
    keras.utils.set_random_seed(1)
    alone = model()
    fit(alone, train, other, callback=keras.callbacks.Callback())
    assert all(map(np.array_equal, weights(watched), weights(alone)))


def test_a_mistake_is_a_warning_or_an_error_or_nothing(model, train, other, caplog):
    with caplog.at_level(logging.WARNING, "penstock.training.doctor"):
        doctor = fit(model(activation=None), train, other, epochs=1)
    assert codes(doctor) == ["loss-expects-probabilities"]
    assert "layer 'head' ends in linear" in caplog.text

    with pytest.raises(TrainingDoctorError, match="loss-expects-probabilities") as raised:
        fit(model(activation=None), train, other, mode="error")
    assert [finding.subject for finding in raised.value.findings] == ["layer 'head'"]

    assert codes(fit(model(activation=None), train, other, mode="off", epochs=1)) == []
    ignored = fit(
        model(activation=None), train, other, ignore=["loss-expects-probabilities"], epochs=1
    )
    assert codes(ignored) == []


def test_fn_args_say_how_and_where_findings_are_kept(model, train, other, tmp_path):
    fn_args = FnArgs(model_run_dir=str(tmp_path / "logs"), doctor_ignore=["label-shape"])
    doctor = fit(model(activation=None), train, other, fn_args=fn_args, epochs=1)
    assert read_findings(str(tmp_path / "logs")) == doctor.findings
    (written,) = json.loads((tmp_path / "logs/training_doctor.json").read_text())["findings"]
    assert (written["severity"], written["step"]) == ("error", None)

    fn_args = FnArgs(model_run_dir=str(tmp_path / "others"), is_chief=False, doctor="error")
    with pytest.raises(TrainingDoctorError):
        fit(model(activation=None), train, other, fn_args=fn_args)
    assert read_findings(str(tmp_path / "others")) is None


def test_a_learning_rate_that_is_too_high_is_named(model, train, other):
    import keras

    made = model(1, None, "mse", optimizer=keras.optimizers.SGD(1.5))
    with pytest.raises(TrainingDoctorError) as raised:
        fit(made, train, other, y=train.number, mode="error")
    found = raised.value.findings
    assert found[0].code == "loss-explodes"
    assert "the learning rate 1.5 is too high" in found[0].message
    assert found[0].step < 60
    lower = model(1, None, "mse", optimizer=keras.optimizers.SGD(0.05))
    assert codes(fit(lower, train, other, y=train.number)) == []


def test_a_loss_is_compared_with_the_first_ones_also_after_a_restart():
    from penstock.training.doctor.checks.loss_curve import LossCurve

    def after(first, later, curve=None):
        curve = curve or LossCurve()
        for loss in [first, *later]:
            curve.add(10 * loss, 10)
        return curve

    late = [0.0001, 0.02, 0.02, 0.02, 0.02, 0.02]
    assert after(late[0], late[1:]).has_exploded()
    resumed = LossCurve()
    resumed.set_state(after(1.1, [0.5]).get_state())
    assert not after(late[0], late[1:], resumed).has_exploded()
    assert after(late[0], [20.0] * 5, resumed).has_exploded()


@pytest.mark.parametrize("mode", ["warn", "error"])
def test_a_loss_that_is_nan_ends_the_training_and_names_the_step(train, other, mode):
    import keras

    def loss(y, prediction):
        # The root of 0 has no finite slope: after the first step the weights are NaN.
        return keras.ops.mean(keras.ops.sqrt(keras.ops.abs(y - prediction) * 0.0))

    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, name="only")])
    made.compile("sgd", loss, jit_compile=False)
    with pytest.raises(TrainingDoctorError) as raised:
        fit(made, train, other, mode=mode)
    (finding,) = raised.value.findings
    assert (finding.code, finding.subject, finding.step) == ("non-finite-loss", "layer 'only'", 2)


def test_the_feature_with_nan_is_named_by_the_batch_that_a_loop_shows(model, train):
    made = model()
    doctor = TrainingDoctor(ignore=["no-validation-data"])
    doctor.set_model(made)
    doctor.set_params({})
    doctor.on_train_begin()
    doctor.on_epoch_begin(0)
    doctor.on_train_batch_end(0, {"loss": 0.7})
    x = {"age": train.x[:5], "fare": np.array([[1.0], [np.nan]])}
    doctor.batch_of = [(x, train.binary[:5])].__getitem__
    with pytest.raises(TrainingDoctorError) as raised:
        doctor.on_train_batch_end(1, {"loss": float("nan")})
    (finding,) = raised.value.findings
    assert (finding.code, finding.subject, finding.step) == (
        "non-finite-input",
        "feature 'fare'",
        2,
    )


def test_losses_that_were_not_read_yet_are_confirmed_before_weights_are_kept(model):
    doctor = TrainingDoctor()
    doctor.set_model(model())
    doctor.set_params({})
    doctor.on_train_begin()
    doctor.on_epoch_begin(0)
    for step in range(13):
        doctor.on_train_batch_end(step, {"loss": 0.7})
    doctor.on_train_batch_end(13, {"loss": float("inf")})
    with pytest.raises(TrainingDoctorError) as raised:
        doctor.confirm()
    assert raised.value.findings[0].step == 14


def test_gradients_that_are_nan_are_named(train, other):
    import keras

    class Root(keras.layers.Layer):
        def call(self, x):
            return x + keras.ops.sqrt(keras.ops.relu(x) * 0.0)

    made = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, name="before"),
            Root(),
            keras.layers.Dense(1, name="after"),
        ]
    )
    # The weights stay finite, since the step is left out, as with loss scaling.
    made.compile("sgd", "mse", jit_compile=False)
    made.optimizer.apply = lambda *args, **kwargs: None
    with pytest.raises(TrainingDoctorError) as raised:
        fit(made, train, other, y=train.number)
    (finding,) = raised.value.findings
    assert (finding.code, finding.step) == ("non-finite-gradient", 20)
    assert finding.message.startswith("The gradients of before/kernel, before/bias are")


def test_units_that_never_fire_are_dead(train, other):
    import keras

    def made(bias):
        result = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(
                    8, "relu", name="hidden", bias_initializer=keras.initializers.Constant(bias)
                ),
                keras.layers.Dense(1, "sigmoid"),
            ]
        )
        result.compile("adam", "binary_crossentropy", jit_compile=False)
        return result

    dead = fit(made(-100.0), train, other)
    assert codes(dead) == ["dead-units"]
    assert dead.findings[0].subject == "layer 'hidden'"
    assert "8 of 8 units of layer 'hidden' give 0 for all of 128 rows" in dead.findings[0].message
    assert codes(fit(made(0.0), train, other)) == []


def test_gradients_that_vanish_name_the_first_layer(train, other):
    import keras

    def made(activation, deviation):
        hidden = [
            keras.layers.Dense(
                8,
                activation,
                name=f"hidden_{i}",
                kernel_initializer=keras.initializers.RandomNormal(stddev=deviation),
            )
            for i in range(5)
        ]
        result = keras.Sequential([keras.Input((4,)), *hidden, keras.layers.Dense(1, "sigmoid")])
        result.compile("sgd", "binary_crossentropy", jit_compile=False)
        return result

    found = fit(made("sigmoid", 0.02), train, other).findings
    assert [(each.code, each.subject) for each in found] == [
        ("vanishing-gradients", "hidden_0/kernel")
    ]
    assert codes(fit(made("tanh", 0.35), train, other)) == []


def test_the_keys_of_an_attention_need_no_bias(train, other):
    import keras

    inputs = keras.Input((4,))
    x = keras.layers.Dense(4)(keras.layers.Reshape((4, 1))(inputs))
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.MultiHeadAttention(2, 2)(x, x))
    result = keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(x))
    result.compile("adam", "binary_crossentropy", jit_compile=False)
    assert codes(fit(result, train, other)) == []


def test_without_data_it_says_at_the_end_that_nothing_was_validated(model, train, other):
    doctor = TrainingDoctor()
    model().fit(train.x, train.binary, verbose=0, callbacks=[doctor])
    assert codes(doctor) == ["no-validation-data"]
    doctor = TrainingDoctor()
    assert codes(fit(model(), train, other, callback=doctor)) == []


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="doctor must be one of"):
        TrainingDoctor("warning")
    with pytest.raises(TypeError, match="doctor_ignore is a list"):
        TrainingDoctor(ignore="dead-units")
    with pytest.raises(ValueError, match="no effect with doctor='off'"):
        TrainingDoctor("off", ignore=["dead-units"])
