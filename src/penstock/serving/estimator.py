"""A scikit-learn estimator as a model: `model.pkl`, as TFX's penguin example writes it.

The pickle is a dict: `model`, `feature_keys`, `label_key`. Beside it `estimator.json` says the same
without unpickling, with the classes and the version of scikit-learn. Loading a pickle runs code of
whoever wrote it: load your own only.
"""

from __future__ import annotations

import json
import os
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.installation import install_command
from penstock.serving.saved_model import ModelError

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

PICKLE = "model.pkl"
DESCRIPTION = "estimator.json"


@dataclass(frozen=True)
class Estimator:
    """An estimator, and the features that it reads.

    Args:
        path: Its folder.
        estimator: The estimator itself.
        feature_keys: The features in the order of its columns.
        class_names: The names of its classes, in the order of its probabilities.
    """

    path: str
    estimator: Any
    feature_keys: tuple[str, ...]
    class_names: tuple[str, ...] = ()

    @property
    def output_names(self) -> list[str]:
        """The names of what `outputs` returns."""
        if not hasattr(self.estimator, "predict_proba"):
            return ["predictions"]
        logistic = ["logistic"] if len(self.estimator.classes_) == 2 else []
        return ["all_classes", *logistic, "probabilities"]

    def outputs(self, columns: pa.RecordBatch, first_row: int = 0) -> dict[str, npt.NDArray[Any]]:
        """Return what the estimator predicts.

        Args:
            columns: The features as lists; a feature of several values is several columns.
            first_row: The number of the first row, for messages.

        Returns:
            For a classifier `probabilities` `[rows, classes]`, `all_classes` and, for two classes,
            `logistic` `[rows]`, the probability of the second; `predictions` for another estimator.

        Raises:
            ValueError: If a feature is missing, or a row has another number of values; the message names
                it and the row.
        """
        import numpy as np

        arrays = [_values(self.path, name, columns, first_row) for name in self.feature_keys]
        table: Any = np.concatenate(arrays, axis=1)
        if hasattr(self.estimator, "feature_names_in_"):
            import pandas as pd

            named = zip(self.estimator.feature_names_in_, _split(arrays), strict=True)
            table = pd.DataFrame(dict(named))
        if not hasattr(self.estimator, "predict_proba"):
            return {"predictions": np.asarray(self.estimator.predict(table))}
        scores = np.asarray(self.estimator.predict_proba(table))
        names = [str(name).encode() for name in self.class_names or self.estimator.classes_]
        classes = np.empty(scores.shape, dtype=object)
        classes[:] = names
        found = {"probabilities": scores, "all_classes": classes}
        return found | ({"logistic": scores[:, 1]} if scores.shape[1] == 2 else {})


def is_estimator(path: str) -> bool:
    """Return whether a folder holds a pickled estimator and no SavedModel."""
    return not os.path.exists(f"{path}/saved_model.pb") and os.path.isfile(f"{path}/{PICKLE}")


def described_features(path: str) -> list[str] | None:
    """Return the features that `estimator.json` lists, without unpickling; None where there is none."""
    try:
        described = json.loads(Path(path, DESCRIPTION).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return list(described["feature_keys"]) if "feature_keys" in described else None


def read_estimator(path: str) -> Estimator:
    """Load a pickled estimator; this runs code in the pickle.

    Raises:
        ModelError: If it is damaged, or no estimator with the features that it reads.
        ImportError: If scikit-learn is not installed.
    """
    try:
        content = pickle.loads(Path(path, PICKLE).read_bytes())
    except ModuleNotFoundError as error:
        raise ImportError(
            f"The model at {path} needs {error.name}, which is not installed here. For scikit-learn: "
            f"{install_command('sklearn')}"
        ) from error
    except AttributeError as error:
        raise ModelError(
            f"{path}/{PICKLE} needs a class or function that is not there: {error}. Load it where its code "
            "is: that with which it was pickled."
        ) from error
    except Exception as error:
        raise ModelError(f"{path}/{PICKLE} is damaged: {type(error).__name__}: {error}") from error
    if not isinstance(content, dict) or not {"model", "feature_keys"} <= set(content):
        raise ModelError(
            f"{path}/{PICKLE} is not a dict with 'model' and 'feature_keys', the estimator and the "
            "features in the order of its columns. penstock.training.export_estimator writes one."
        )
    described: dict[str, Any] = {}
    if Path(path, DESCRIPTION).is_file():
        described = json.loads(Path(path, DESCRIPTION).read_text())
        _warn_of_version(path, str(described.get("scikit-learn", "")))
    return Estimator(
        path,
        content["model"],
        tuple(content["feature_keys"]),
        tuple(described.get("class_names", ())),
    )


def _warn_of_version(path: str, written: str) -> None:
    import sklearn

    if written and written.split(".")[:2] != sklearn.__version__.split(".")[:2]:
        warnings.warn(
            f"The model at {path} was pickled by scikit-learn {written}; this is {sklearn.__version__}, "
            "which may give other numbers.",
            UserWarning,
            stacklevel=4,
        )


def _values(path: str, name: str, columns: Any, first_row: int) -> npt.NDArray[Any]:
    """Return a feature as `[rows, values]`."""
    import numpy as np
    import pyarrow as pa

    index = columns.schema.get_field_index(name)
    if index < 0 or pa.types.is_null(columns.schema.field(index).type):
        raise ValueError(
            f"The model at {path} reads {name!r}, which the examples do not have. "
            f"Features: {', '.join(sorted(columns.schema.names))}"
        )
    column = columns.column(index)
    lengths = column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    size = max(int(np.bincount(lengths).argmax()), 1) if len(lengths) else 1
    # A missing value is NaN, which imputers and some estimators take; of several values all must be there.
    wrong = lengths > 1 if size == 1 else lengths != size
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"The model at {path} reads {name!r}, of which row {first_row + row} has {int(lengths[row])} "
            f"values, not {size}."
        )
    values = column.flatten()
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        values = values.cast(pa.large_string())
    flat: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False)
    array = np.full(
        len(lengths) * size, np.nan, np.float64 if flat.dtype.kind in "biuf" else object
    )
    array[np.repeat(lengths > 0, size)] = flat
    return array.reshape(len(lengths), size)


def _split(arrays: list[Any]) -> list[Any]:
    return [column for each in arrays for column in each.T]
