"""In which form a model lies in a folder."""

from __future__ import annotations

import os

from penstock.serving.saved_model import SavedModelInfo, inspect_saved_model

SAVED_MODEL = "SavedModel"
_OTHER_FORMS = {
    "model.pkl": "scikit-learn estimator",
    "model.onnx": "ONNX file",
    "model.keras": "Keras file",
}


def form_of(folder: str) -> tuple[str, SavedModelInfo | None]:
    """Return in which form a model is in a folder, and a SavedModel's description.

    Raises:
        ModelError: If there is no model, or an incomplete SavedModel.

    Example:
        >>> form_of("serving/taxi/7")[0]
        'SavedModel'
    """
    if not os.path.exists(f"{folder}/saved_model.pb"):
        for file, form in _OTHER_FORMS.items():
            if os.path.isfile(f"{folder}/{file}"):
                return form, None
    return SAVED_MODEL, inspect_saved_model(folder)
