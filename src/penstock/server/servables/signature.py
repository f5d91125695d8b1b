"""What a signature of a served model takes and returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from penstock.serving.signature import FeatureInput, Signature

ANY = "any"
"""The type of an input that takes numbers and text, as a feature of an estimator does."""


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of a signature.

    Args:
        dtype: TensorFlow's name of its type, such as "float32" or "string", or `ANY`. Text is bytes in
            arrays of the type object.
        shape: Its sizes, the batch first, -1 for one that varies; None if even their number does.
        tensor_name: Its name in the graph; "" for a model without one.
    """

    dtype: str
    shape: tuple[int, ...] | None
    tensor_name: str = ""


@dataclass(frozen=True)
class SignatureInfo:
    """A signature.

    Args:
        name: Its name, such as "serving_default".
        method_name: What it is for, such as "tensorflow/serving/predict".
        inputs: The tensors that it takes, by name.
        outputs: The tensors that it returns, by name.
        takes_examples: Whether its one input is serialized tf.Examples.
        features: The raw features of a row; None if the model does not show them.
        of_rows: How rows of raw features are converted; None where each feature is an input.
    """

    name: str
    method_name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    takes_examples: bool = False
    features: Mapping[str, FeatureInput] | None = None
    of_rows: Signature | None = None

    @cached_property
    def batches(self) -> bool:
        """Whether rows of several requests can be computed together."""
        tensors = [*self.inputs.values(), *self.outputs.values()]
        return bool(self.inputs) and all(
            tensor.shape is None or (len(tensor.shape) > 0 and tensor.shape[0] == -1)
            for tensor in tensors
        )
