"""Warm-up requests in a model, as TensorFlow Serving and Penstock's server read them."""

from __future__ import annotations

import base64
import os
import shutil
from typing import TYPE_CHECKING, Any

from penstock.infra_validation.requests import ModelRequests, takes_serialized
from penstock.serving.estimator import is_estimator

if TYPE_CHECKING:
    import numpy.typing as npt

    from penstock.serving.signature import Signature

WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"
_MOST = 1000
"""TensorFlow Serving refuses a file with more requests."""


def write_warm_model(model: str, requests: ModelRequests, target: str) -> int:
    """Copy a model and write requests for its warm-up into the copy, as PredictionLogs.

    Args:
        model: The model's folder.
        requests: The requests.
        target: The folder of the copy.

    Returns:
        How many requests there are.

    Raises:
        ValueError: If the model is no SavedModel.
    """
    from penstock.bulk_inference.prediction_logs import request_logs
    from penstock.io import TFRecordWriter

    if is_estimator(model):
        raise ValueError(
            f"The model at {model} is a scikit-learn estimator; warm-up requests are for SavedModels. "
            "Leave out make_warmup."
        )
    shutil.copytree(model, target, copy_function=shutil.copyfile, dirs_exist_ok=True)
    path = os.path.join(target, WARM_UP_FILE)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    each = _MOST // len(requests.signatures)
    records = list(requests.records[:each])
    count = 0
    with TFRecordWriter(path, "") as writer:
        for signature in requests.signatures:
            inputs = _inputs(signature, requests)
            inputs = {key: values[: len(records)] for key, values in inputs.items()}
            logs = request_logs(records, signature.name, signature.method, inputs)
            writer.write_all(logs.to_pylist())
            count += len(logs)
    return count


def _inputs(signature: Signature, requests: ModelRequests) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of all examples."""
    import numpy as np

    if takes_serialized(signature):
        (key,) = signature.inputs
        found = np.empty(len(requests.records), dtype=object)
        found[:] = list(requests.records)
        return {key: found}
    columns: dict[str, list[Any]] = {key: [] for key in signature.inputs}
    for request in requests.requests:
        if request.signature == signature.name and request.rows == (signature.batch_size or 1):
            for key, values in request.inputs.items():
                columns[key] += [_plain(value) for value in values]
    return {
        key: np.array(values, dtype=_numpy_name(signature.inputs[key].dtype))
        for key, values in columns.items()
    }


def _numpy_name(dtype: str) -> str:
    return "object" if dtype == "string" else dtype


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return [_plain(each) for each in value] if isinstance(value, list) else value
