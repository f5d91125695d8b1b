"""Models that train on any backend of Keras; run as a script, it trains one and exports it.

KERAS_BACKEND=jax python backend_models.py KIND FOLDER
"""

import sys

import keras
import numpy as np

SCHEMA = """
feature { name: "x" type: FLOAT presence { min_fraction: 1 } shape { dim { size: 4 } } }
feature { name: "kind" type: INT presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "label" type: INT presence { min_fraction: 1 } shape { } }
"""


class Scale(keras.layers.Layer):
    """Written with keras.ops, which every backend has."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        return keras.ops.tanh(x * self.scale)


class NativeSine(keras.layers.Layer):
    """Written with the backend's own functions."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        if keras.backend.backend() == "torch":
            import torch

            return torch.sin(x * self.scale.value)
        import jax.numpy as jnp

        return jnp.sin(x * self.scale.value)


class Subclassed(keras.Model):
    def __init__(self, units=3, **options):
        super().__init__(**options)
        self.units = units
        self.hidden = keras.layers.Dense(units)
        self.scores = keras.layers.Dense(2, activation="softmax")

    def call(self, inputs):
        return {"scores": self.scores(self.hidden(inputs["x"]))}

    def get_config(self):
        return {"units": self.units}


def name_scores(outputs):
    import tensorflow as tf

    scores = outputs["scores"] if isinstance(outputs, dict) else outputs
    return {"scores": scores, "best": tf.argmax(scores, axis=1)}


def rows():
    generator = np.random.default_rng(0)
    return {
        "x": generator.normal(size=(64, 4)).astype("float32"),
        "kind": generator.integers(0, 3, (64, 1)).astype("int32"),
    }


def build(kind):
    if kind == "subclassed":
        return Subclassed()
    inputs = {
        "x": keras.Input((4,), name="x"),
        "kind": keras.Input((1,), name="kind", dtype="int32"),
    }
    layer = {"ops": Scale, "native": NativeSine}[kind]()
    embedded = keras.layers.Flatten()(keras.layers.Embedding(3, 2)(inputs["kind"]))
    both = keras.layers.Concatenate()([layer(inputs["x"]), embedded])
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(both))


def main(kind, folder):
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.training import export_model
    from penstock.training.without_tensorflow import without_tensorflow

    with without_tensorflow():
        keras.utils.set_random_seed(1)
        data = rows()
        if kind == "subclassed":
            del data["kind"]
        model = build(kind)
        outputs = model(data)
        outputs = outputs["scores"] if isinstance(outputs, dict) else outputs
        np.save(f"{folder}/expected.npy", keras.ops.convert_to_numpy(outputs))
    export_model(
        model,
        f"{folder}/Format-Serving",
        schema=text_format.Parse(SCHEMA, schema_pb2.Schema()),
        label_key="label",
        class_names=["low", "high"],
        postprocess=name_scores,
        forms=["keras"] if kind == "native" else ["weights", "tflite", "onnx"],
    )
    print(f"{keras.backend.backend()} {'tensorflow' in sys.modules}")


if __name__ == "__main__":
    import backend_models

    backend_models.main(*sys.argv[1:])
