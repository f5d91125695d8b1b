"""Which form a model has: a SavedModel, a `.keras` file, a TFLite file, a pickled estimator, columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from penstock.artifacts import Model
from penstock.serving.estimator import is_estimator

LITE, KERAS = "tf_lite", "keras"


def model_of(spec: Any, path: str) -> Any:
    """Return the model that a ModelSpec is about.

    Args:
        spec: The `ModelSpec`. Its `model_type` "tf_lite" or "keras" asks for the form of that name beside
            the SavedModel; without a type it is what there is.
        path: The model's folder or file; empty where predictions are columns of the examples.

    Raises:
        FileNotFoundError: If there is no model of the form.
        ValueError: If it does not load.
    """
    from penstock.evaluation.models.column_model import ColumnModel
    from penstock.evaluation.models.keras_model import KerasModel
    from penstock.evaluation.models.lite_model import LiteModel
    from penstock.evaluation.models.signature_model import SignatureModel

    if not path:
        names = [spec.prediction_key, *spec.prediction_keys.values()]
        return ColumnModel([name for name in dict.fromkeys(names) if name])
    if spec.model_type == LITE or path.endswith(".tflite"):
        return LiteModel(_file(path, Model.TFLITE_FOLDER, ".tflite", "tflite"))
    if spec.model_type == KERAS or path.endswith(".keras"):
        return KerasModel(_file(path, Model.KERAS_FOLDER, ".keras"))
    if is_estimator(path):
        from penstock.evaluation.models.estimator_model import EstimatorModel

        return EstimatorModel(path)
    if "://" not in path and not Path(path, "saved_model.pb").exists() and _files(path, ".keras"):
        return KerasModel(_file(path, Model.KERAS_FOLDER, ".keras"))
    return SignatureModel(path)


def keras_file(path: str) -> str:
    """Return a model's `.keras` file.

    Raises:
        FileNotFoundError: If there is none.
    """
    return _file(path, Model.KERAS_FOLDER, ".keras")


def _file(path: str, folder: str, suffix: str, name: str = "") -> str:
    """Return the file of a form: named itself, in the folder, or in its folder of the artifact."""
    if Path(path).is_file():
        return path
    if name and Path(path, name).is_file():
        return str(Path(path, name))
    beside = Path(path).parent / folder
    found = _files(path, suffix) or _files(str(beside), suffix)
    if not found:
        raise FileNotFoundError(
            f"There is no {suffix} file in {path} or {beside}. Export the model in this form: "
            "export_model(..., forms=[...])."
        )
    if len(found) > 1 and (first := Path(found[0]).parent / f"model{suffix}").is_file():
        return str(first)
    if len(found) > 1:
        names = ", ".join(Path(each).name for each in found)
        raise ValueError(f"Which of these is to be evaluated? Name one file: {names}")
    return found[0]


def _files(folder: str, suffix: str) -> list[str]:
    return sorted(map(str, Path(folder).glob(f"*{suffix}")))
