"""Whether a model loads and answers: tried in a process of its own, as a server would."""

from __future__ import annotations

import logging
import math
import threading
from importlib.util import find_spec
from typing import Any

from penstock.io.files.plain_path import plain_path
from penstock.io.processes.child_process import ChildProcess, describe_status
from penstock.io.processes.disposable import is_disposable
from penstock.serving.forms import SAVED_MODEL, form_of
from penstock.serving.saved_model import ModelError
from penstock.serving.signature import DEFAULT_SIGNATURE, FeatureInput, Signature

_ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # The training that asks may hold the accelerator's memory.
    "CUDA_VISIBLE_DEVICES": "-1",
}

_TOO_LONG = "The model did not load and answer within {seconds:g} s in a process of its own."

_log = logging.getLogger(__name__)


def check_answers(folder: str, *, seconds: float) -> None:
    """Load a model in a process of its own, and ask it one row that is made up.

    A worker of a runner is such a process: there it is tried at once, since TensorFlow is imported. If the
    model crashes, the worker does, and its runner says so.

    A model that answers with an error is logged, and passes: the made-up row may be none that it takes.
    An ONNX file is loaded where ONNX Runtime is installed.

    Args:
        folder: The model's folder on this machine.
        seconds: How long it may take, imports included.

    Raises:
        ModelError: If it does not load, crashes, or takes longer; the message says which.
    """
    state, what = (_tried_here if is_disposable() else _tried_in_child)(folder, seconds)
    if state == "failed":
        raise ModelError(f"The model does not load in a process of its own: {what}")
    if state == "refused":
        _log.warning("The model loads, but answers a made-up row with an error: %s", what)


def _tried_here(folder: str, seconds: float) -> tuple[str, str]:
    answer: list[tuple[str, str]] = []
    trial = threading.Thread(
        target=lambda: answer.append(_load_and_ask(folder)), name="model", daemon=True
    )
    trial.start()
    trial.join(seconds)
    if not answer:
        raise ModelError(_TOO_LONG.format(seconds=seconds))
    return answer[0]


def _tried_in_child(folder: str, seconds: float) -> tuple[str, str]:
    lines: list[str] = []
    with ChildProcess(
        _answer, folder, name="model", environment=_ENVIRONMENT, print_line=lines.append
    ) as child:
        try:
            if not child.connection.poll(seconds):
                raise ModelError(_TOO_LONG.format(seconds=seconds))
            answer: tuple[str, str] = child.connection.recv()
        except (EOFError, OSError) as error:
            how = describe_status(child.wait(10))
            said = f" It printed: {lines[-1]}" if lines else ""
            raise ModelError(
                f"The process that loaded the model and asked it {how}.{said}"
            ) from error
    return answer


def _answer(connection: Any, folder: str) -> None:
    connection.send(_load_and_ask(folder))


def _load_and_ask(folder: str) -> tuple[str, str]:
    """Return "answered", or "failed" or "refused" and why."""
    try:
        ask = _loaded(folder)
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"
    try:
        ask()
    except Exception as error:
        return "refused", f"{type(error).__name__}: {error}"
    return "answered", ""


def _loaded(folder: str) -> Any:
    """Load a model, and return what asks it."""
    form, info = form_of(folder)
    if form == "Keras file":
        import keras

        keras.saving.load_model(f"{folder}/model.keras")
    elif form == "ONNX file":
        if find_spec("onnxruntime") is None:
            return lambda: None
        import onnxruntime

        onnxruntime.InferenceSession(f"{folder}/model.onnx")
    elif form == SAVED_MODEL and info is not None:
        import tensorflow as tf

        model = tf.saved_model.load(plain_path(folder))
        name = _signature(info.inputs)
        if name is not None:
            return lambda: model.signatures[name](**_made_up_row(info.inputs[name]))
    else:
        from penstock.serving.served_estimator import ServedEstimator

        estimator = ServedEstimator(folder)
        return lambda: estimator.predict([dict.fromkeys(estimator.features, 0.0)])
    return lambda: None


def _signature(signatures: Any) -> str | None:
    """Return the signature to ask: the default one, or another that takes rows; None for none."""
    rows = [name for name, signature in signatures.items() if signature.batch_size != 0]
    return DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in rows else next(iter(rows), None)


def _made_up_row(signature: Signature) -> dict[str, Any]:
    """Return the arguments of a signature for a row of zeros and empty texts."""
    import tensorflow as tf

    if not signature.takes_examples:
        count = signature.batch_size or 1
        return {
            name: tf.constant([_value(feature)] * count, feature.dtype)
            for name, feature in signature.inputs.items()
        }
    (name,) = signature.inputs
    features = {
        name: _feature(feature)
        for name, feature in (signature.features or {}).items()
        if feature.required
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return {name: tf.constant([example.SerializeToString()] * (signature.batch_size or 1))}


def _feature(feature: FeatureInput) -> Any:
    import tensorflow as tf

    values: list[Any] = [_zero(feature.dtype)] * math.prod(max(n, 1) for n in feature.shape or ())
    if feature.dtype == "string":
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if "float" in feature.dtype:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _value(feature: FeatureInput) -> Any:
    value = _zero(feature.dtype)
    for size in reversed(feature.shape or ()):
        value = [value] * max(size, 1)
    return value


def _zero(dtype: str) -> Any:
    return {"string": b"", "bool": False}.get(dtype, 0.0 if "float" in dtype else 0)
