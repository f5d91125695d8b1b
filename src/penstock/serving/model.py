"""Predicting with a pushed model: rows in, dicts out."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from penstock.io.processes.quiet import quiet_stderr
from penstock.serving.estimator import is_estimator
from penstock.serving.forms import form_of
from penstock.serving.labels import read_labels
from penstock.serving.loading import load_saved_model
from penstock.serving.located import located
from penstock.serving.saved_model import ModelError, inspect_saved_model
from penstock.serving.served_estimator import ServedEstimator
from penstock.serving.signature import DEFAULT_SIGNATURE
from penstock.serving.versions import version_folders
from penstock.spelling import closest

if TYPE_CHECKING:
    import numpy.typing as npt

_ROWS_AT_ONCE = 4096
_READERS = {
    "Keras file": "keras.saving.load_model",
    "ONNX file": "onnxruntime.InferenceSession",
}


class ServedModel:
    """A SavedModel that predicts from rows of raw features.

    Its signature takes serialized tf.Examples, as written by `penstock.training.export_model`, or
    tensors by name, as written by Keras's `model.export`.

    Args:
        path: The SavedModel's folder.
        signature: The signature to call.

    Attributes:
        path: The SavedModel's folder.
        signature: What the signature takes and returns.
        labels: The names of its classes and its vocabularies, if they travelled along.

    Raises:
        ModelError: If there is no complete SavedModel.
        ValueError: If the signature does not exist.
    """

    def __init__(self, path: str | os.PathLike[str], signature: str = DEFAULT_SIGNATURE) -> None:
        path = os.fspath(path)
        info = inspect_saved_model(path)
        if signature not in info.signatures:
            raise ValueError(
                f"The model at {path} has no signature {signature!r}. "
                f"Signatures: {', '.join(info.signatures) or 'none'}"
            )
        if info.inputs[signature].batch_size == 0:
            raise ValueError(
                f"The signature {signature!r} of the model at {path} takes no rows: an input has no first "
                "size for them. Export it with tensors of the shape [None, ...]."
            )
        import_tensorflow()
        self.path = path
        self.signature = info.inputs[signature]
        self.labels = read_labels(path)
        self._model = load_saved_model(path)
        self._function = self._model.signatures[signature]
        self._passed_over: set[str] = set()

    @property
    def features(self) -> dict[str, str]:
        """The features that the model reads, and their types; empty if its graph does not show them."""
        return {name: feature.dtype for name, feature in (self.signature.features or {}).items()}

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes in the order of the scores; empty if the model does not have them.

        Example:
            >>> model.class_names
            ('Adelie', 'Gentoo', 'Chinstrap')
        """
        return self.labels.class_names

    def vocabulary(self, name: str) -> list[str]:
        """Return the values of a vocabulary, in the order of their indices.

        Raises:
            ValueError: If there is none of that name; the message lists the names.
        """
        return self.labels.vocabulary(name)

    def predict(self, rows: Any) -> list[dict[str, Any]]:
        """Return the model's outputs for each row.

        Values are converted as in ingestion: dates and times to ISO 8601 text, decimals to floats,
        booleans to integers. None, NaN, `pd.NA`, `NaT` and an absent name are missing values.
        Columns that the model does not read are ignored, with one warning for each.

        Args:
            rows: Raw features by name: a list of dicts, one dict, a pandas DataFrame, an Arrow table or
                batch, or anything with Arrow's stream interface. Lists are features of several values.

        Returns:
            A list of one dict per row, even for a single dict: numbers, strings, and lists of them
            by output name.

        Raises:
            ValueError: If a feature that the model needs is missing, or a value has another type or
                size than the model reads; the message names the row and the column.
            TypeError: If `rows` is something else.

        Example:
            >>> model.predict(pd.read_csv("new.csv"))
            [{'probabilities': [0.1, 0.0, 0.9], 'species': 'Chinstrap', 'species_index': 2}]
        """
        from penstock.serving.row_arguments import RowArguments
        from penstock.serving.rows import rows_of

        given = rows_of(rows)
        arguments = RowArguments(self.signature)
        self._pass_over(arguments.unread(given))
        answers: list[dict[str, Any]] = []
        for part in arguments.of(given, _ROWS_AT_ONCE):
            answers += self._call(part)
        return answers[: given.count]

    def predict_arrays(self, rows: Any) -> dict[str, npt.NDArray[Any]]:
        """Return the model's outputs for all rows as NumPy arrays.

        Args:
            rows: As for `predict`.

        Returns:
            By output, an array whose first dimension is the rows; strings are bytes. Without rows it is
            empty.

        Raises:
            ValueError: As `predict`.
            TypeError: As `predict`.

        Example:
            >>> model.predict_arrays(table)["probabilities"].shape
            (344, 3)
        """
        import numpy as np

        from penstock.serving.row_arguments import RowArguments
        from penstock.serving.rows import rows_of

        given = rows_of(rows)
        arguments = RowArguments(self.signature)
        self._pass_over(arguments.unread(given))
        parts = [self._outputs(part) for part in arguments.of(given, _ROWS_AT_ONCE)]
        names = parts[0] if parts else ()
        return {name: np.concatenate([p[name] for p in parts])[: given.count] for name in names}

    def _pass_over(self, names: Iterable[str]) -> None:
        new = [name for name in names if name not in self._passed_over]
        if not new:
            return
        self._passed_over.update(new)
        read = sorted(self.signature.features or ())
        hints = [
            f" Did you mean {close!r} by {name!r}?"
            for name in new
            if (close := closest(name, read))
        ]
        warnings.warn(
            f"The model does not read {', '.join(map(repr, new))}: ignored.{''.join(hints)} "
            f"It reads: {', '.join(read)}",
            UserWarning,
            stacklevel=3,
        )

    def _call(self, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the outputs of each row."""
        count = len(next(iter(arguments.values())))
        columns = {name: array.tolist() for name, array in self._outputs(arguments).items()}
        for i in range(count):
            yield {name: _readable(values[i]) for name, values in columns.items()}

    def _outputs(self, arguments: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
        """Return the outputs of some rows."""
        import tensorflow as tf

        count = len(next(iter(arguments.values())))
        columns = {}
        tensors = {
            name: tf.constant(values, self.signature.inputs[name].dtype)
            for name, values in arguments.items()
        }
        for name, values in sorted(self._function(**tensors).items()):
            array = values.numpy()
            if array.ndim == 0 or len(array) != count:
                raise ValueError(
                    f"The output {name!r} of the signature {self.signature.name!r} has the shape "
                    f"{list(array.shape)} for {count} rows. Expected its first dimension to be "
                    "the number of rows."
                )
            columns[name] = array
        return columns


def load_model(
    path: str | os.PathLike[str], *, version: int | str | None = None
) -> ServedModel | ServedEstimator:
    """Load a pushed model.

    Args:
        path: A folder of versions, as written by `push_model`, or a model's own folder: a SavedModel, or
            a pickled scikit-learn estimator (loading one runs the pickle's code). Or the URL of
            versions, such as `gs://models/taxi`; or a name in the registry: `models:/taxi@champion`,
            `models:/taxi/7` or `models:/taxi/latest`.
        version: The version, a number or its digits; the latest one by default.

    Raises:
        ModelError: If there is no complete SavedModel.
        ValueError: If the version does not exist.

    Example:
        >>> model = load_model("serving/penguin")
        >>> model.predict([{"island": "Dream", "bill_length_mm": 46.5, "sex": "female"}])
        [{'probabilities': [0.1, 0.0, 0.9], 'species': 'Chinstrap', 'species_index': 2}]
    """
    path, version = located(os.fspath(path), version)
    folders = version_folders(path)
    alone = os.path.exists(f"{path}/saved_model.pb") or is_estimator(path)
    if version is None and not folders and not alone:
        what = "no model in it" if os.path.isdir(path) else "no such folder"
        raise ModelError(
            f"No model at {path}: there is {what}, seen from {os.getcwd()}. A model that is not blessed is "
            "not pushed: `penstock show latest` says which."
        )
    if isinstance(version, str) and version.isdecimal():
        version = int(version)
    if version is not None and version not in folders:
        raise ValueError(f"{path} has no version {version!r}. Versions: {list(folders) or 'none'}")
    if folders:
        path = folders[max(folders) if version is None else int(version)]
    form, _ = form_of(path)
    if form in _READERS:
        raise ModelError(f"The model at {path} is a {form}: load it with {_READERS[form]}.")
    return ServedEstimator(path) if is_estimator(path) else ServedModel(path)


def _readable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return [_readable(entry) for entry in value]
    return value


def import_tensorflow() -> Any:
    """Return TensorFlow, imported without its messages about the machine on stderr."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with quiet_stderr():
            import tensorflow as tf  # noqa: F401
    return sys.modules["tensorflow"]
