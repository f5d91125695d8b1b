"""TensorFlow Serving's metadata: the signatures of a model, as its SavedModel describes them."""

from __future__ import annotations

from typing import Any

from penstock.server.servables.servable import Servable
from penstock.server.servables.signature import SignatureInfo, TensorInfo

_TYPE = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
_DTYPES = {
    "float32": "DT_FLOAT", "float64": "DT_DOUBLE", "float16": "DT_HALF", "bfloat16": "DT_BFLOAT16",
    "any": "DT_INVALID",
}  # fmt: skip


def metadata(servable: Servable) -> dict[str, Any]:
    """Return the answer of `GET /v1/models/NAME/metadata`."""
    signatures = {name: _signature(each) for name, each in servable.signatures.items()}
    return {
        "model_spec": {
            "name": servable.name,
            "signature_name": "",
            "version": str(servable.version),
        },
        "metadata": {"signature_def": {"@type": _TYPE, "signature_def": signatures}},
    }


def _signature(signature: SignatureInfo) -> dict[str, Any]:
    return {
        "inputs": {name: _tensor(each) for name, each in signature.inputs.items()},
        "outputs": {name: _tensor(each) for name, each in signature.outputs.items()},
        "method_name": signature.method_name,
        "defaults": {},
    }


def _tensor(tensor: TensorInfo) -> dict[str, Any]:
    dims = [{"size": str(size), "name": ""} for size in tensor.shape or ()]
    return {
        "dtype": _DTYPES.get(tensor.dtype, f"DT_{tensor.dtype.upper()}"),
        "tensor_shape": {"dim": dims, "unknown_rank": tensor.shape is None},
        "name": tensor.tensor_name,
    }
