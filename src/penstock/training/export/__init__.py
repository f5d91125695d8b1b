"""Export: a trained model in each form that something wants, with what its outputs mean."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.training.export.estimator import export_estimator
    from penstock.training.export.forms import ExportError, Onnx, TFLite
    from penstock.training.export.fulfil import FulfilledExport, fulfil_export
    from penstock.training.export.model import export_model

_MODULE_OF = {
    "ExportError": "forms",
    "FulfilledExport": "fulfil",
    "Onnx": "forms",
    "TFLite": "forms",
    "export_estimator": "estimator",
    "export_model": "model",
    "fulfil_export": "fulfil",
}

__all__ = [
    "ExportError",
    "FulfilledExport",
    "Onnx",
    "TFLite",
    "export_estimator",
    "export_model",
    "fulfil_export",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
