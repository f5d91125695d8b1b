"""Export: a trained model in each form that something wants, with what its outputs mean."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.training.export.forms import Onnx, TFLite
    from penstock.training.export.model import export_model

_MODULE_OF = {
    "Onnx": "forms",
    "TFLite": "forms",
    "export_model": "model",
}

__all__ = [
    "Onnx",
    "TFLite",
    "export_model",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
