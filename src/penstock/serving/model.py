"""Asking a pushed model: rows as dicts in, rows as dicts out."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.serving.push import list_versions
from penstock.serving.saved_model import inspect_saved_model

if TYPE_CHECKING:
    import tensorflow as tf

DEFAULT_SIGNATURE = "serving_default"


class ServedModel:
    """A SavedModel whose signature takes serialized tf.Examples.

    Args:
        path: The SavedModel's folder.
        signature: The signature to call.

    Raises:
        ModelError: If there is no whole SavedModel.
        ValueError: If it has no such signature, or the signature takes something else.
    """

    def __init__(self, path: str, signature: str = DEFAULT_SIGNATURE) -> None:
        info = inspect_saved_model(path)
        if signature not in info.signatures:
            raise ValueError(
                f"The model at {path} has no signature {signature!r}. "
                f"Signatures: {', '.join(info.signatures) or 'none'}"
            )
        tf = _import_tensorflow()

        self.path = path
        self._model = tf.saved_model.load(path)
        self._function = self._model.signatures[signature]
        arguments = self._function.structured_input_signature[1]
        if len(arguments) != 1 or next(iter(arguments.values())).dtype != tf.string:
            raise ValueError(
                f"The signature {signature!r} of the model at {path} takes "
                f"{', '.join(arguments)} and no serialized tf.Examples."
            )
        (self._argument,) = arguments
        self.features = _parsed_features(self._function.graph.as_graph_def())

    def predict(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Returns the model's outputs for each row.

        Args:
            rows: Raw features by name: numbers, strings, or lists of them. A feature that is left out, or
                is None, is missing.

        Returns:
            A dict a row: numbers, strings, and lists of them by output name.

        Raises:
            ValueError: If a row has a feature that the model does not read, with the nearest name.
        """
        import tensorflow as tf

        examples = [self._example(i, row).SerializeToString() for i, row in enumerate(rows)]
        outputs = self._function(**{self._argument: tf.constant(examples, dtype=tf.string)})
        columns = {name: values.numpy().tolist() for name, values in outputs.items()}
        return [
            {name: _readable(values[i]) for name, values in sorted(columns.items())}
            for i in range(len(examples))
        ]

    def _example(self, index: int, row: Mapping[str, Any]) -> tf.train.Example:
        import tensorflow as tf

        example = tf.train.Example()
        for name, value in row.items():
            if self.features and name not in self.features:
                close = difflib.get_close_matches(name, self.features, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise ValueError(
                    f"Row {index} has {name!r}, which the model does not read.{hint} "
                    f"It reads: {', '.join(sorted(self.features))}"
                )
            if value is None:
                continue
            values = list(value) if isinstance(value, list | tuple) else [value]
            _fill(example.features.feature[name], values, self.features.get(name), index, name)
        return example


def load_model(path: str, *, version: int | None = None) -> ServedModel:
    """Loads a pushed model.

    Args:
        path: A folder of versions, as `push_model` makes it, or a SavedModel's own.
        version: The version; the latest one by default.

    Example:
        >>> model = load_model("serving/penguin")
        >>> model.predict([{"island": "Dream", "bill_length_mm": 46.5, "sex": "female"}])
        [{'probabilities': [0.1, 0.0, 0.9], 'species': 'Chinstrap', 'species_index': 2}]
    """
    versions = list_versions(path)
    if version is not None and version not in versions:
        raise ValueError(f"{path} has no version {version}. Versions: {versions or 'none'}")
    if versions:
        path = f"{path.rstrip('/')}/{version if version is not None else versions[-1]}"
    return ServedModel(path)


def _fill(feature: Any, values: list[Any], dtype: str | None, row: int, name: str) -> None:
    if dtype is None:
        floats = any(isinstance(value, float) for value in values)
        dtype = "string" if any(isinstance(v, str | bytes) for v in values) else "int64"
        dtype = "float32" if floats else dtype
    try:
        if dtype == "string":
            feature.bytes_list.value.extend(
                value.encode() if isinstance(value, str) else value for value in values
            )
        elif dtype == "float32":
            feature.float_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    except TypeError as error:
        raise ValueError(
            f"The model reads {name!r} as {dtype}. Received in row {row}: {values!r}"
        ) from error


def _parsed_features(graph: Any) -> dict[str, str]:
    """Returns the raw features that a signature parses, and their dtypes.

    They are the constants beside its `ParseExampleV2` operation; without one nothing is known.
    """
    import tensorflow as tf

    features: dict[str, str] = {}
    for nodes in [graph.node, *(function.node_def for function in graph.library.function)]:
        constants = {
            node.name: tf.make_ndarray(node.attr["value"].tensor)
            for node in nodes
            if node.op == "Const" and node.attr["dtype"].type == tf.string.as_datatype_enum
        }
        for node in nodes:
            if node.op != "ParseExampleV2":
                continue
            keys = [constants.get(name.split(":")[0]) for name in node.input[2:5]]
            kinds = [
                node.attr[a].list.type for a in ("sparse_types", "Tdense", "ragged_value_types")
            ]
            for names, types in zip(keys, kinds, strict=True):
                if names is None:
                    return {}
                for name, kind in zip(names.reshape(-1).tolist(), types, strict=True):
                    features[name.decode()] = tf.dtypes.as_dtype(kind).name
    return features


def _readable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list):
        return [_readable(entry) for entry in value]
    return value


def _import_tensorflow() -> Any:
    """Returns TensorFlow, imported without the page about the machine that it writes to stderr."""
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        sys.stderr.flush()
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            import tensorflow  # noqa: F401
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
    return sys.modules["tensorflow"]
