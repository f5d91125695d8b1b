"""What a model says about the rows of a split, asked as a client asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.io import ExamplesSplit
from penstock.serving import load_model

if TYPE_CHECKING:
    import numpy.typing as npt

_USUAL_KEYS = ("probabilities", "predictions", "scores", "logistic", "outputs", "output_0")


@dataclass(frozen=True)
class ModelPredictions:
    """The outputs of a model for all rows.

    Args:
        outputs: By name, each of the shape (rows, ...).
        class_names: The names of its classes in the order of its scores; empty if it does not say.
    """

    outputs: Mapping[str, npt.NDArray[Any]]
    class_names: tuple[str, ...]

    def chosen(self, key: str) -> npt.NDArray[Any]:
        """Return one output: the one named, or else the only one, or the one that has a usual name.

        Raises:
            ValueError: If there is no such output, or it is not clear which is meant.
        """
        names = ", ".join(sorted(self.outputs)) or "none"
        if key:
            if key not in self.outputs:
                raise ValueError(f"The model has no output {key!r}. Outputs: {names}")
            return self.outputs[key]
        if len(self.outputs) == 1:
            return next(iter(self.outputs.values()))
        for usual in _USUAL_KEYS:
            if usual in self.outputs:
                return self.outputs[usual]
        raise ValueError(f"Say in prediction_key which output is compared. Outputs: {names}")


def predict_split(model_uri: str, split: ExamplesSplit, label_key: str) -> ModelPredictions:
    """Ask a model about each row of a split, through its serving signature.

    Args:
        model_uri: The SavedModel's folder, or that of a scikit-learn estimator.
        split: The rows, with raw features.
        label_key: The label, which no client knows; the model is not given it.

    Raises:
        ValueError: If the model needs a feature that the rows do not have, such as the label.
    """
    model = load_model(model_uri)
    wanted = set(model.features)
    parts: dict[str, list[npt.NDArray[Any]]] = {}
    for batch in split.batches():
        names = [
            name
            for name in batch.schema.names
            if name != label_key and (not wanted or name in wanted)
        ]
        for name, values in model.predict_arrays(batch.select(names)).items():
            parts.setdefault(name, []).append(values)
    outputs = {name: np.concatenate(each) for name, each in parts.items()}
    return ModelPredictions(outputs, class_names_of(model, label_key))


def class_names_of(model: Any, label_key: str) -> tuple[str, ...]:
    """Return what the model calls its classes, or else the vocabulary of the label's name."""
    names: Sequence[str] = model.class_names
    labels = getattr(model, "labels", None)
    if not names and labels is not None and label_key in labels.vocabularies:
        names = labels.vocabulary(label_key)
    return tuple(names)
