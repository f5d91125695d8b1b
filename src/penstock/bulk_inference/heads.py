"""A model whose signatures are called on serialized tf.Examples: one head for each signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from penstock.bulk_inference.specs import ModelSpec
from penstock.io.files.temporary_copy import temporary_copy
from penstock.io.processes.shard_processes import usable_processes
from penstock.serving.estimator import is_estimator, read_estimator
from penstock.serving.loading import load_saved_model
from penstock.serving.saved_model import inspect_saved_model
from penstock.serving.serialized_examples import SerializedExamples
from penstock.serving.signature import DEFAULT_SIGNATURE, Signature
from penstock.serving.tensor_inputs import feature_tensors
from penstock.serving.tensor_outputs import as_array, reason_of

if TYPE_CHECKING:
    import tensorflow as tf

Array = npt.NDArray[Any]

_AT_ONCE = 2


@dataclass(frozen=True)
class HeadOutputs:
    """What one signature returned for a batch.

    Args:
        signature: Its name.
        method: "predict", "classify" or "regress".
        requests: What it was given: the tensors by name, `[rows, ...]`, or the examples.
        outputs: What it returned, `[rows, ...]`; a ragged output is an array of one array a row.
    """

    signature: str
    method: str
    requests: Mapping[str, Array | SerializedExamples]
    outputs: dict[str, Array]


class HeadedModel(Protocol):
    """A model that answers batches of records."""

    @property
    def at_once(self) -> int:
        """How many batches it should be given at once."""

    def methods(self) -> dict[str, str]:
        """Return the method of each signature that is called."""

    def infer(self, records: SerializedExamples, first_row: int) -> list[HeadOutputs]:
        """Call each signature on serialized tf.Examples, the first of which is row `first_row`."""


def load_heads(path: str, spec: ModelSpec) -> HeadedModel:
    """Load a model for the signatures that a ModelSpec names.

    Args:
        path: The folder of a SavedModel or of a pickled scikit-learn estimator; a path or an fsspec URL.
        spec: The signatures.

    Raises:
        penstock.serving.ModelError: If there is no complete model.
        ValueError: If a signature does not exist; the message lists those that do.
    """
    with temporary_copy(path) as local:
        if is_estimator(local):
            return _EstimatorHead(local, path, spec)
        return SavedModelHeads(local, path, spec)


class _EstimatorHead:
    """A scikit-learn estimator: one head that predicts."""

    at_once = 1

    def __init__(self, local: str, path: str, spec: ModelSpec) -> None:
        if spec.signatures != (DEFAULT_SIGNATURE,) or spec.tag:
            raise ValueError(
                f"The model at {path} is a scikit-learn estimator, which has no signatures and no tags. "
                f"Received: {spec}"
            )
        self._estimator = read_estimator(local)

    def methods(self) -> dict[str, str]:
        return {DEFAULT_SIGNATURE: "predict"}

    def infer(self, records: SerializedExamples, first_row: int) -> list[HeadOutputs]:
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

        columns = ExamplesToRecordBatchDecoder().DecodeBatch(list(records))
        outputs = self._estimator.outputs(columns, first_row)
        requests = {"examples": records}
        return [HeadOutputs(DEFAULT_SIGNATURE, "predict", requests, outputs)]


class SavedModelHeads:
    """A SavedModel: a head for each signature that is called."""

    def __init__(self, local: str, path: str, spec: ModelSpec) -> None:
        self._path = path
        self._signatures = _signatures(local, path, spec)
        # A graph of TensorFlow 1 is one of several, chosen by its tags.
        self._model = load_saved_model(local, spec.tag)
        self.functions = {name: self._model.signatures[name] for name in self._signatures}

    @property
    def at_once(self) -> int:
        """How many batches it should be given at once.

        Parts of its graph take one core. On an accelerator, a second batch takes memory and gains little.
        """
        import tensorflow as tf

        devices = {device.device_type for device in tf.config.list_logical_devices()}
        return usable_processes(_AT_ONCE) if devices == {"CPU"} else 1

    @property
    def take_serialized(self) -> bool:
        """Whether each signature takes serialized examples, of any number."""
        return all(
            _takes_serialized(each) and not each.batch_size for each in self._signatures.values()
        )

    def methods(self) -> dict[str, str]:
        """Return the method of each signature that is called."""
        return {name: signature.method for name, signature in self._signatures.items()}

    def infer(self, records: SerializedExamples, first_row: int) -> list[HeadOutputs]:
        """Call each signature on serialized tf.Examples, the first of which is row `first_row`."""
        found = []
        requests: dict[str, Array | SerializedExamples]
        for name, signature in self._signatures.items():
            if _takes_serialized(signature):
                (key,) = signature.inputs
                tensors = {key: records.tensor}
                requests = {key: records}
            else:
                tensors = feature_tensors(_specs(signature), records, first_row)
                requests = {key: tensor.numpy() for key, tensor in tensors.items()}
            size = signature.batch_size or len(records)
            parts = [
                self._call(signature, tensors, start, min(size, len(records) - start), first_row)
                for start in range(0, len(records), size)
            ]
            outputs = (
                parts[0]
                if len(parts) == 1
                else {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
            )
            found.append(HeadOutputs(name, signature.method, requests, outputs))
        return found

    def _call(
        self, signature: Signature, tensors: dict[str, tf.Tensor], start: int, rows: int, first: int
    ) -> dict[str, Array]:
        """Call a signature on some rows; one of a fixed number of rows has the last one repeated."""
        import tensorflow as tf

        size = signature.batch_size or rows
        places = np.minimum(np.arange(start, start + size), start + rows - 1)
        whole = rows == size and all(len(tensor) == rows for tensor in tensors.values())
        given = tensors if whole else {k: tf.gather(v, places) for k, v in tensors.items()}
        row = first + start
        try:
            outputs = self.functions[signature.name](**given)
        except tf.errors.OpError as error:
            raise ValueError(
                f"The signature {signature.name!r} of the model at {self._path} failed on the rows {row} "
                f"to {row + rows - 1}: {reason_of(error.message)}"
            ) from error
        arrays = {}
        for key, value in sorted(outputs.items()):
            array = as_array(value)
            if array.ndim == 0 or len(array) != size:
                raise ValueError(
                    f"The output {key!r} of the signature {signature.name!r} of the model at {self._path} "
                    f"has the shape {list(array.shape)} for {size} rows. Expected one entry a row."
                )
            arrays[key] = array[:rows]
        return arrays


def _signatures(local: str, path: str, spec: ModelSpec) -> dict[str, Signature]:
    info = inspect_saved_model(local)
    if missing := [tag for tag in spec.tag if tag not in info.tags]:
        raise ValueError(
            f"The model at {path} has no graph with the tag {missing[0]!r}. Tags: {', '.join(info.tags)}"
        )
    found = {}
    for name in spec.signatures:
        if name not in info.inputs:
            raise ValueError(
                f"The model at {path} has no signature {name!r}, which ModelSpec.model_signature_name "
                f"names. Signatures: {', '.join(info.signatures) or 'none'}"
            )
        found[name] = info.inputs[name]
        if found[name].batch_size == 0:
            raise ValueError(
                f"The signature {name!r} of the model at {path} takes no rows: an input has no first size "
                "for them. Export it with tensors of the shape [None, ...]."
            )
    return found


def _takes_serialized(signature: Signature) -> bool:
    """Whether a signature takes one tensor of strings, one for each row."""
    if len(signature.inputs) != 1:
        return False
    (described,) = signature.inputs.values()
    one_each = described.shape is None or described.shape == ()
    return signature.takes_examples or (described.dtype == "string" and one_each)


def _specs(signature: Signature) -> dict[str, Any]:
    import tensorflow as tf

    specs = {}
    for name, described in signature.inputs.items():
        sizes = described.shape
        shape = None if sizes is None else [None, *(None if n < 0 else n for n in sizes)]
        specs[name] = tf.TensorSpec(shape, tf.dtypes.as_dtype(described.dtype), name)
    return specs
