"""Predicting with a pushed model: rows in, dicts out."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from penstock.io.files.plain_path import plain_path
from penstock.io.processes.quiet import quiet_stderr
from penstock.serving.estimator import is_estimator
from penstock.serving.forms import form_of
from penstock.serving.labels import read_labels
from penstock.serving.saved_model import ModelError, inspect_saved_model
from penstock.serving.served_estimator import ServedEstimator
from penstock.serving.signature import DEFAULT_SIGNATURE, FeatureInput
from penstock.serving.versions import version_folders
from penstock.spelling import closest

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
        tf = _import_tensorflow()

        self.path = path
        self.signature = info.inputs[signature]
        self.labels = read_labels(path)
        self._model = tf.saved_model.load(plain_path(path))
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
        from penstock.serving.feature_values import feature_lists
        from penstock.serving.rows import rows_of

        given = rows_of(rows)
        features = self.signature.features
        names = list(given.columns) if features is None else list(features)
        self._pass_over([name for name in given.columns if name not in names])
        columns = {
            name: feature_lists(name, given.columns[name], (features or {}).get(name))
            for name in names
            if name in given.columns
        }
        self._check_required(columns, given.count, given.columns)
        answers: list[dict[str, Any]] = []
        for arguments in self._arguments(columns, given.count):
            answers += self._call(arguments)
        return answers[: given.count]

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

    def _check_required(
        self, columns: Mapping[str, Any], count: int, given: Mapping[str, Any]
    ) -> None:
        from penstock.io.arrow.arrays import valid_rows

        missing: dict[str, int] = {}
        for name, feature in (self.signature.features or {}).items():
            if not feature.required or not count:
                continue
            if name not in columns:
                missing[name] = 0
            elif columns[name].null_count:
                missing[name] = int(valid_rows(columns[name]).argmin())
        if not missing:
            return
        row = min(missing.values())
        lacking = [name for name, first in missing.items() if first == row]
        close = closest(lacking[0], [name for name in given if name not in columns])
        hint = f" The row has {close!r}." if close else ""
        raise ValueError(
            f"Row {row} has no value of {', '.join(map(repr, lacking))}, which the model needs.{hint} "
            f"It reads: {self._reads()}"
        )

    def _reads(self) -> str:
        features = sorted((self.signature.features or {}).items())
        return ", ".join(
            f"{name} ({feature.dtype}{'' if feature.required else ', optional'})"
            for name, feature in features
        )

    def _arguments(self, columns: Mapping[str, Any], count: int) -> Iterator[dict[str, Any]]:
        """Yield the signature's arguments, for some thousand rows at a time.

        A signature for a fixed number of rows gets so many: the last row is repeated.
        """
        size = self.signature.batch_size
        for start in range(0, count, size or _ROWS_AT_ONCE):
            rows = min(size or _ROWS_AT_ONCE, count - start)
            part = {name: column.slice(start, rows) for name, column in columns.items()}
            if size and rows < size:
                places = [min(place, rows - 1) for place in range(size)]
                part = {name: column.take(places) for name, column in part.items()}
                rows = size
            if self.signature.takes_examples:
                (name,) = self.signature.inputs
                yield {name: _serialized(part, rows)}
            else:
                yield {
                    name: _tensor(name, part[name], feature)
                    for name, feature in self.signature.inputs.items()
                }

    def _call(self, arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the outputs of each row."""
        count = len(next(iter(arguments.values())))
        columns = {}
        for name, values in sorted(self._function(**arguments).items()):
            array = values.numpy()
            if array.ndim == 0 or len(array) != count:
                raise ValueError(
                    f"The output {name!r} of the signature {self.signature.name!r} has the shape "
                    f"{list(array.shape)} for {count} rows. Expected its first dimension to be "
                    "the number of rows."
                )
            columns[name] = array.tolist()
        for i in range(count):
            yield {name: _readable(values[i]) for name, values in columns.items()}


def load_model(
    path: str | os.PathLike[str], *, version: int | str | None = None
) -> ServedModel | ServedEstimator:
    """Load a pushed model.

    Args:
        path: A folder of versions, as written by `push_model`, or a model's own folder: a SavedModel, or
            a pickled scikit-learn estimator (loading one runs the pickle's code).
        version: The version, a number or its digits; the latest one by default.

    Raises:
        ModelError: If there is no complete SavedModel.
        ValueError: If the version does not exist.

    Example:
        >>> model = load_model("serving/penguin")
        >>> model.predict([{"island": "Dream", "bill_length_mm": 46.5, "sex": "female"}])
        [{'probabilities': [0.1, 0.0, 0.9], 'species': 'Chinstrap', 'species_index': 2}]
    """
    path = os.fspath(path)
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


def _serialized(columns: Mapping[str, Any], count: int) -> Any:
    """Return rows as a tensor of serialized tf.Examples."""
    import pyarrow as pa
    import tensorflow as tf

    from penstock.io import serialize_examples

    examples: Any = [b""] * count
    if columns:
        batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
        examples = serialize_examples(batch, missing="absent").to_numpy(zero_copy_only=False)
    return tf.constant(examples, dtype=tf.string)


def _tensor(name: str, column: Any, feature: FeatureInput) -> Any:
    """Return a column as the tensor of a signature that takes tensors."""
    import numpy as np
    import tensorflow as tf

    shape = feature.shape
    if shape is None:
        # Of unknown rank: rows of one value are a vector.
        shape = () if len(column.flatten()) == len(column) else (-1,)
    values = column.flatten().to_numpy(zero_copy_only=False)
    sizes: tuple[int, ...] = (len(column), *shape)
    if shape.count(-1) > 1:
        raise ValueError(
            f"The model reads {name!r} as a tensor of the shape {list(shape)}, several of whose "
            "sizes may vary; rows do not define them. Export the model with at most one size that "
            "varies."
        )
    if -1 in shape:
        lengths = {len(each) for each in column.to_pylist()}
        if len(lengths) > 1:
            raise ValueError(
                f"The model reads {name!r} as a tensor, so all rows need the same number of "
                f"values. Received: {min(lengths)} to {max(lengths)} values"
            )
    dtype = tf.dtypes.as_dtype(feature.dtype)
    if dtype != tf.string:
        values = np.asarray(values).astype(dtype.as_numpy_dtype)
    return tf.constant(values.reshape(sizes), dtype=dtype)


def _readable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return [_readable(entry) for entry in value]
    return value


def _import_tensorflow() -> Any:
    """Return TensorFlow, imported without its messages about the machine on stderr."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with quiet_stderr():
            import tensorflow as tf  # noqa: F401
    return sys.modules["tensorflow"]
