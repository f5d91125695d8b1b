"""Warm-up: a version computes some requests before it answers the first client.

They are those of the file `assets.extra/tf_serving_warmup_requests`, as TensorFlow Serving reads them:
TFRecords of `PredictionLog`. Without one a request is made of each signature, of zeros and empty text.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.io.tfrecord.records import read_tfrecords
from penstock.server.errors import ServingError
from penstock.server.servables.servable import LoadedModel, check_inputs
from penstock.server.servables.signature import ANY, SignatureInfo
from penstock.serving.saved_model import ModelError
from penstock.serving.signature import DEFAULT_SIGNATURE, FeatureInput

if TYPE_CHECKING:
    import numpy.typing as npt

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"
_MOST = 1000
_LOG = logging.getLogger("penstock.server")

Request = tuple[str, dict[str, "npt.NDArray[Any]"]]


def warm_up(path: str, model: LoadedModel, rows: int) -> int:
    """Let a model compute its warm-up requests, and return their number.

    Args:
        path: The version's folder.
        model: The model.
        rows: The rows of a request made from a signature; one of a single row is made besides.

    Raises:
        ModelError: If the file of requests is damaged, or the model fails on one of them.
    """
    file = os.path.join(path, WARM_UP_FILE)
    if not os.path.isfile(file):
        return sum(_try(path, model, signature, rows) for signature in model.signatures.values())
    count = 0
    for signature, inputs in read_warm_up_requests(file, model.signatures):
        try:
            model.run(signature, check_inputs(path, model.signatures[signature], inputs))
        except ServingError as error:
            raise ModelError(
                f"The model at {path} fails on its warm-up request {count} (signature {signature!r}): "
                f"{error}"
            ) from error
        count += 1
    return count


def read_warm_up_requests(file: str, signatures: Mapping[str, SignatureInfo]) -> Iterator[Request]:
    """Yield the signature and the inputs of each request in a warm-up file, at most 1,000.

    Raises:
        ModelError: If the file is damaged, or a request is for a signature that the model does not have.
    """
    from tensorflow_serving.apis import prediction_log_pb2

    for number, record in enumerate(read_tfrecords(file)):
        if number == _MOST:
            return
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
            for name, inputs in _requests(log):
                name = name or DEFAULT_SIGNATURE
                if name not in signatures:
                    raise ValueError(f"the model has no signature {name!r}")
                if isinstance(inputs, list):
                    inputs = {next(iter(signatures[name].inputs)): np.array(inputs, dtype=object)}
                yield name, inputs
        except Exception as error:
            raise ModelError(f"The warm-up request {number} of {file} is wrong: {error}") from error


def _requests(log: Any) -> Iterator[tuple[str, Any]]:
    """Yield the signature and the inputs, or serialized examples, of a PredictionLog."""
    import tensorflow as tf

    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
        yield request.model_spec.signature_name, inputs
    elif kind in ("classify_log", "regress_log"):
        request = getattr(log, kind).request
        yield request.model_spec.signature_name, _examples(request.input)
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        for task in request.tasks:
            yield task.model_spec.signature_name, _examples(request.input)
    else:
        raise ValueError(f"requests of the kind {kind} are not for this server")


def _examples(given: Any) -> list[bytes]:
    """Return the examples of a request, each with the context if there is one."""
    if given.WhichOneof("kind") != "example_list_with_context":
        return [each.SerializeToString() for each in given.example_list.examples]
    together = given.example_list_with_context
    context = together.context.SerializeToString()
    # Messages one after the other are merged when they are parsed.
    return [context + each.SerializeToString() for each in together.examples]


def _try(path: str, model: LoadedModel, signature: SignatureInfo, rows: int) -> int:
    """Compute made-up requests; a model may refuse them, such as an index that no vocabulary has."""
    count = 0
    for size in dict.fromkeys((1, rows)):
        inputs = _made_up(signature, size)
        if inputs is None:
            return count
        try:
            model.run(signature.name, inputs)
        except ServingError as error:
            _LOG.info(
                "%s: the signature %r was not warmed, since it refuses zeros and empty text: %s",
                path,
                signature.name,
                error,
            )
            return count
        count += 1
    return count


def _made_up(signature: SignatureInfo, rows: int) -> dict[str, npt.NDArray[Any]] | None:
    """Return a request of zeros and empty text; None if a shape is unknown."""
    if signature.takes_examples:
        example = _zero_example(signature.features or {})
        return {next(iter(signature.inputs)): np.array([example] * rows, dtype=object)}
    inputs: dict[str, npt.NDArray[Any]] = {}
    for name, tensor in signature.inputs.items():
        if tensor.shape is None or tensor.dtype == ANY:
            return None
        sizes = list(tensor.shape)
        if sizes and sizes[0] == -1:
            sizes[0] = rows
        sizes = [1 if size == -1 else size for size in sizes]
        try:
            inputs[name] = (
                np.full(sizes, b"", object)
                if tensor.dtype == "string"
                else np.zeros(sizes, tensor.dtype)
            )
        except TypeError:  # bfloat16 and other types that NumPy does not have
            return None
    return inputs


def _zero_example(features: Mapping[str, FeatureInput]) -> bytes:
    import tensorflow as tf

    example = tf.train.Example()
    for name, feature in features.items():
        if not feature.required:
            continue
        sizes = [max(size, 1) for size in feature.shape or ()]
        count = int(np.prod(sizes)) if sizes else 1
        values = example.features.feature[name]
        if feature.dtype == "string":
            values.bytes_list.value.extend([b""] * count)
        elif "float" in feature.dtype:
            values.float_list.value.extend([0.0] * count)
        else:
            values.int64_list.value.extend([0] * count)
    serialized: bytes = example.SerializeToString()
    return serialized
