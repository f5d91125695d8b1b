"""`export_estimator`: a scikit-learn estimator as a Model artifact."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penstock.installation import install_command
from penstock.serving.estimator import DESCRIPTION, PICKLE
from penstock.training.export.forms import ExportError


def export_estimator(
    estimator: Any,
    directory: str,
    *,
    feature_keys: Sequence[str],
    label_key: str | None = None,
    class_names: Sequence[str] = (),
) -> None:
    """Write a fitted scikit-learn estimator, such as a classifier or a whole pipeline.

    `model.pkl` is what TFX's penguin example writes: a dict of `model`, `feature_keys` and `label_key`.
    The Evaluator and `load_model` take it; it reads features as they are in the examples that it is
    given, without the transform graph. TensorFlow Serving does not take it.

    Args:
        estimator: The estimator, fitted.
        directory: The folder to write; usually `fn_args.serving_model_dir`.
        feature_keys: The features in the order of its columns. If it was fitted on a DataFrame, their
            values are handed over as one.
        label_key: The label that it was fitted on, for readers of the pickle.
        class_names: The names of its classes in the order of `classes_`; by default, these themselves.

    Raises:
        ExportError: If it is not fitted, cannot be pickled, or has other classes than named.
        ImportError: If scikit-learn is not installed.

    Example:
        >>> export_estimator(
        ...     forest.fit(features, labels), fn_args.serving_model_dir, feature_keys=FEATURES
        ... )
    """
    try:
        import sklearn
        from sklearn.utils.validation import NotFittedError, check_is_fitted
    except ImportError as error:
        raise ImportError(f"scikit-learn is not installed: {install_command('sklearn')}") from error
    kind = type(estimator).__name__
    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError) as error:
        raise ExportError(f"{kind} cannot be exported: {error}") from error
    classes = [each.item() if hasattr(each, "item") else each for each in _classes(estimator)]
    _check_classes(kind, classes, class_names)
    content = {"model": estimator, "feature_keys": list(feature_keys), "label_key": label_key}
    try:
        # Written again, equal texts are the same object in every process, so the bytes are the same.
        data = pickle.dumps(pickle.loads(pickle.dumps(content, 5)), 5)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ExportError(
            f"{kind} cannot be pickled: {error}. A lambda, or a function within a function, has no name "
            "that another process could import: define it at the top of a module."
        ) from error
    os.makedirs(directory, exist_ok=True)
    Path(directory, PICKLE).write_bytes(data)
    described = {
        "class_names": [str(name) for name in class_names or classes],
        "estimator": kind,
        "feature_keys": list(feature_keys),
        "label_key": label_key,
        "scikit-learn": sklearn.__version__,
    }
    Path(directory, DESCRIPTION).write_text(json.dumps(described, indent=1, sort_keys=True))


def _classes(estimator: Any) -> list[Any]:
    return list(getattr(estimator, "classes_", ())) if hasattr(estimator, "predict_proba") else []


def _check_classes(kind: str, classes: Sequence[Any], class_names: Sequence[str]) -> None:
    if class_names and len(class_names) != len(classes):
        raise ExportError(
            f"class_names has {len(class_names)} names, but {kind} has {len(classes)} classes. "
            f"Received: {list(class_names)[:10]}"
        )
    numbers = [each for each in classes if not isinstance(each, str)]
    if numbers and list(classes) != list(range(len(classes))):
        raise ExportError(
            f"The classes of {kind} must be texts, or numbers from 0, since its scores are counted so. "
            f"Received: {list(classes)[:10]}"
        )
