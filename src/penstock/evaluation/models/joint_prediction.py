"""What all models say of a batch, and the features that are needed of it, from one parse of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.evaluation.examples import ExampleBatch
from penstock.evaluation.models.evaluated_model import EvaluatedModel
from penstock.evaluation.models.feature_decoder import FeatureDecoder, column_batch
from penstock.evaluation.models.signature_model import SignatureModel
from penstock.serving.serialized_examples import SerializedExamples

Array = npt.NDArray[Any]
_RELATIVE, _ABSOLUTE = 1e-5, 1e-6
_COMPARED_ROWS = 256


class JointPrediction(NamedTuple):
    """What is known of a batch.

    Attributes:
        outputs: What each model's signature returned, by the models' names.
        transformed: What its transform signatures returned, if they were asked.
        columns: The features that are needed.
    """

    outputs: dict[str, dict[str, Array]]
    transformed: dict[str, dict[str, Array]]
    columns: pa.RecordBatch


class JointPredictor:
    """Asks all models at once, where their graphs can be joined; several threads may call it.

    The graph is joined with the first batch, and used only if it says of some of its rows what the models
    say one by one.

    Args:
        models: The models.
        decode: Knows which features are needed.
    """

    def __init__(self, models: Sequence[EvaluatedModel], decode: FeatureDecoder) -> None:
        self._models = models
        self._decode = decode
        self._lock = threading.Lock()
        self._call: Any = None
        self._is_off = not all(isinstance(model.model, SignatureModel) for model in models)
        self._asked: list[tuple[str, str, bool]] = []

    def __call__(self, serialized: SerializedExamples) -> JointPrediction | None:
        """Return what is known of a batch; None where the models must be asked one by one."""
        import tensorflow as tf

        with self._lock:
            if self._call is None and not self._is_off and self._decode.knows_types:
                self._join(serialized)
        if self._call is None or self._is_off:
            return None
        try:
            return self._of(serialized)
        except tf.errors.OpError:
            return None  # the model that fails says why, asked by itself

    def _join(self, serialized: SerializedExamples) -> None:
        import tensorflow as tf

        from penstock.serving.joint_call import AskedSignature, JointCall, NotJoinable

        self._asked, signatures = [], []
        for model in self._models:
            self._asked.append((model.spec.name, model.signature, False))
            signatures.append(AskedSignature(model.model.function(model.signature)))
            for name in model.transforms(self._decode.learned.wanted):
                self._asked.append((model.spec.name, name, True))
                signatures.append(AskedSignature(model.model.function(name), model.needed))
        learned = self._decode.learned
        try:
            self._call = JointCall(
                signatures, {name: learned.types[name] for name in sorted(learned.wanted)}
            )
            self._is_off = not self._agrees(SerializedExamples(serialized.tensor[:_COMPARED_ROWS]))
        except (NotJoinable, tf.errors.OpError, ValueError):
            self._is_off = True

    def _of(self, serialized: SerializedExamples) -> JointPrediction:
        returned, columns = self._call(serialized.tensor)
        outputs: dict[str, dict[str, Array]] = {}
        transformed: dict[str, dict[str, Array]] = {}
        for (model_name, _, is_transform), found in zip(self._asked, returned, strict=True):
            if is_transform:
                transformed.setdefault(model_name, {}).update(found)
            else:
                outputs[model_name] = found
        names = sorted(columns)
        batch = column_batch([columns[name] for name in names], names, len(serialized))
        return JointPrediction(outputs, transformed, batch)

    def _agrees(self, serialized: SerializedExamples) -> bool:
        """Return whether the models say the same of examples one by one."""
        found = self._of(serialized)
        batch = ExampleBatch(serialized, self._decode(serialized), 0)
        if not batch.columns.equals(found.columns):
            return False
        for model in self._models:
            name = model.spec.name
            if not _same(model.predict(batch), found.outputs[name]):
                return False
            model.with_features(batch, model.needed)
            if not _same(batch.transformed.get(name, {}), found.transformed.get(name, {})):
                return False
        return True


def _same(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    if one.keys() != other.keys():
        return False
    return all(_equal(values, other[key]) for key, values in one.items())


def _equal(one: Array, other: Array) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind == "f":
        return bool(np.allclose(one, other, _RELATIVE, _ABSOLUTE, equal_nan=True))
    return bool(np.array_equal(one, other))
