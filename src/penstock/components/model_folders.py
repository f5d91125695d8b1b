"""The folders of a Model artifact, as TFX lays them."""

from __future__ import annotations

import os

from penstock.artifacts import Model

SERVING_FOLDER = "Format-Serving"
EVAL_FOLDER = "Format-TFMA"
BLESSED_FILE = "BLESSED"
NOT_BLESSED_FILE = "NOT_BLESSED"


def serving_model_path(model: Model) -> str:
    """Returns the SavedModel that serves; an imported model may be one without further folders."""
    folder = f"{model.uri.rstrip('/')}/{SERVING_FOLDER}"
    if not os.path.isdir(folder) and os.path.exists(f"{model.uri}/saved_model.pb"):
        return model.uri
    return folder


def eval_model_path(model: Model) -> str:
    """Returns the SavedModel to evaluate: one exported for that, or the one that serves."""
    folder = f"{model.uri.rstrip('/')}/{EVAL_FOLDER}"
    return folder if os.path.isdir(folder) else serving_model_path(model)
