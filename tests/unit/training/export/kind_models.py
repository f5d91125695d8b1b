"""Models of each kind, whose classes another process imports to load their `.keras` files."""

import keras
import tensorflow as tf


class Gate(keras.layers.Layer):
    """Without registration: loading it needs custom_objects."""

    def __init__(self, factor=2.0, **options):
        super().__init__(**options)
        self.factor = factor

    def build(self, shape):
        self.gate = self.add_weight(shape=(shape[-1],), initializer="random_normal", name="gate")

    def call(self, x):
        return keras.ops.sigmoid(self.gate * x) * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable("kinds")
class Registered(Gate):
    pass


@keras.saving.register_keras_serializable("kinds")
def doubled_error(y_true, y_pred):
    return 2.0 * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


@keras.saving.register_keras_serializable("kinds")
class TwoTowers(keras.Model):
    """A subclassed model of a dict of inputs and a dict of outputs."""

    def __init__(self, units=3, **options):
        super().__init__(**options)
        self.units = units
        self.left = keras.layers.Dense(units)
        self.right = keras.layers.Dense(units)

    def call(self, inputs):
        left, right = self.left(inputs["x"]), self.right(inputs["y"])
        return {"product": left * right, "sum": keras.ops.sum(left + right, axis=-1)}

    def get_config(self):
        return {"units": self.units}


class Doubling(tf.Module):
    """No Keras model: a table, a variable, and a function with a branch."""

    def __init__(self):
        super().__init__()
        keys, values = tf.constant(["p", "q"]), tf.constant([10.0, 20.0])
        initializer = tf.lookup.KeyValueTensorInitializer(keys, values)
        self.table = tf.lookup.StaticHashTable(initializer, 0.0)
        self.factor = tf.Variable(2.0)

    def __call__(self, features):
        return {"value": self.factor * features["x"] + self.table.lookup(features["s"])}


class NoConfig(keras.layers.Layer):
    def __init__(self, function, **options):
        super().__init__(**options)
        self.function = function

    def call(self, x):
        return self.function(x)
