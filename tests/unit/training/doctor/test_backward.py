import keras
import numpy as np
import pytest

from penstock.training.doctor.backward import gradients

pytestmark = pytest.mark.tensorflow


def test_the_gradients_of_a_model_with_regularizers_are_those_of_its_whole_loss():
    import tensorflow as tf

    keras.utils.set_random_seed(3)
    penalty = keras.regularizers.L2(0.5)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, kernel_regularizer=penalty),
                              keras.layers.Dense(1)])  # fmt: skip
    model.compile("sgd", "mse")
    x, y = np.random.default_rng(0).normal(size=(8, 4)), np.ones((8, 1))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(x, training=False) - y) ** 2)
        loss += 0.5 * tf.reduce_sum(model.layers[0].kernel.value ** 2)
    expected = tape.gradient(loss, [each.value for each in model.trainable_variables])
    found = [gradient.size for gradient in gradients(model, (x, y))]
    np.testing.assert_allclose(found, [np.mean(np.abs(each)) for each in expected], rtol=1e-5)
