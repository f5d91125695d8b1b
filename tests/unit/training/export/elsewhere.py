"""A process that loads exported models and calls them; it talks in pickles on stdin and stdout."""

import importlib
import os
import pickle
import sys


def call_saved_model(path, inputs, signature="serving_default"):
    import tensorflow as tf

    model = tf.saved_model.load(path)
    outputs = model.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def import_from(folder, name):
    sys.path.insert(0, folder)
    importlib.import_module(name)


def call_keras(path, inputs, custom=()):
    import keras
    import tensorflow as tf

    custom = {
        name: getattr(sys.modules[place.rpartition(".")[0]], place.rpartition(".")[2])
        for name, place in dict(custom).items()
    }
    model = keras.saving.load_model(path, custom_objects=custom)
    outputs = model({name: tf.constant(values) for name, values in inputs.items()})
    outputs = outputs if isinstance(outputs, dict) else {"outputs": outputs}
    return {name: value.numpy() for name, value in outputs.items()}


def call_weights(path, inputs, module):
    """Load weights into a model that `module.build()` makes."""
    model = sys.modules[module].build()
    for variable in model.variables:
        variable.assign(variable * 0)
    model.load_weights(path)
    return {name: value.numpy() for name, value in model(inputs).items()}


def call_tflite(path, inputs):
    import tensorflow as tf

    run = tf.lite.Interpreter(model_path=path).get_signature_runner("serving_default")
    return run(**inputs)


def call_onnx(path, inputs):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def predict(path, rows):
    from penstock.serving import load_model

    model = load_model(path)
    return model.predict(rows), model.class_names, model.labels.vocabularies


def serve():
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            result = globals()[name](*arguments)
        except Exception as error:
            result = RuntimeError(f"{type(error).__name__}: {error}")
        pickle.dump(result, answers)
        answers.flush()


if __name__ == "__main__":
    serve()
