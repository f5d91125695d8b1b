"""The forms that a model is exported in beside its SavedModel, and where each lies."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from penstock.artifacts import Model
from penstock.spelling import names_its_arguments, nearest

Quantization = Literal["none", "float16", "dynamic_range", "int8", "int16x8"]

_QUANTIZATIONS = ("none", "float16", "dynamic_range", "int8", "int16x8")
_MEASURED = ("int8", "int16x8")


class ExportError(ValueError):
    """A model cannot be exported in a form; the message names the layer or operation, and why."""


@names_its_arguments
@dataclass(frozen=True)
class TFLite:
    """A TFLite model: what the model itself computes, from its own inputs by name.

    Args:
        quantization: "none"; "float16" stores weights in 16 bits; "dynamic_range" stores weights in 8
            bits; "int8" computes in integers, too, with ranges measured on `representative_data`; "int16x8"
            does so with 16 bits for what flows between the layers. Inputs and outputs keep their types.
        representative_data: For "int8" and "int16x8": some hundred rows of the model's inputs, as a dict of
            arrays, or an iterable (such as a `tf.data.Dataset`) of such dicts, or of pairs (dict,
            label). The first 100 batches are used.

    Raises:
        ValueError: If the quantization is unknown, or the data are missing or have no use.

    Example:
        >>> TFLite("int8", representative_data=train.take(20)).file_name
        'model_int8.tflite'
    """

    quantization: Quantization = "none"
    representative_data: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.quantization not in _QUANTIZATIONS:
            hint = nearest(str(self.quantization), _QUANTIZATIONS)
            raise ValueError(
                f"quantization must be one of {list(_QUANTIZATIONS)}. "
                f"Received: {self.quantization!r}.{hint}"
            )
        given = self.representative_data is not None
        if self.quantization in _MEASURED and not given:
            raise ValueError(
                f'TFLite("{self.quantization}") needs representative_data: some hundred rows of the '
                "model's inputs, on which the ranges of its numbers are measured."
            )
        if given and self.quantization not in _MEASURED:
            raise ValueError(
                'representative_data are for TFLite("int8") and TFLite("int16x8"). Received: '
                f"quantization={self.quantization!r}"
            )

    @property
    def folder(self) -> str:
        """The folder in the Model artifact."""
        return Model.TFLITE_FOLDER

    @property
    def file_name(self) -> str:
        """The file in it."""
        suffix = "" if self.quantization == "none" else f"_{self.quantization}"
        return f"model{suffix}.tflite"


@names_its_arguments
@dataclass(frozen=True)
class Onnx:
    """An ONNX model: what the model itself computes, from its own inputs by name.

    Args:
        opset: The version of ONNX's operations.
    """

    opset: int = 18

    def __post_init__(self) -> None:
        if isinstance(self.opset, bool) or not isinstance(self.opset, int):
            raise TypeError(f"opset must be a whole number. Received: {self.opset!r}")

    @property
    def folder(self) -> str:
        """The folder in the Model artifact."""
        return Model.ONNX_FOLDER

    @property
    def file_name(self) -> str:
        """The file in it."""
        return "model.onnx"


@dataclass(frozen=True)
class KerasFile:
    """Keras's own file, with the optimizer's state."""

    folder: str = Model.KERAS_FOLDER
    file_name: str = "model.keras"


@dataclass(frozen=True)
class Weights:
    """Keras's file of weights alone."""

    folder: str = Model.WEIGHTS_FOLDER
    file_name: str = "model.weights.h5"


Form = KerasFile | Weights | TFLite | Onnx

NAMED_FORMS: dict[str, Form] = {
    "keras": KerasFile(),
    "weights": Weights(),
    "tflite": TFLite(),
    "tflite_float16": TFLite("float16"),
    "tflite_dynamic_range": TFLite("dynamic_range"),
    "onnx": Onnx(),
}


def as_forms(forms: Iterable[str | Form] | None) -> tuple[Form, ...]:
    """Return forms given by name or as options, each once.

    Raises:
        ValueError: If a name is unknown, or two would be the same file.
        TypeError: If one is something else.
    """
    if isinstance(forms, str):
        raise TypeError(f"forms is a list, such as [{forms!r}]. Received: {forms!r}")
    found: dict[str, Form] = {}
    for each in forms or ():
        form = _named(each) if isinstance(each, str) else each
        if not isinstance(form, Form):
            raise TypeError(
                f"A form is one of {list(NAMED_FORMS)}, TFLite(...) or Onnx(...). "
                f"Received: {each!r}"
            )
        place = f"{form.folder}/{form.file_name}"
        if place in found:
            raise ValueError(f"forms names {place} twice. Received: {list(forms or ())}")
        found[place] = form
    return tuple(found.values())


def _named(name: str) -> Form:
    if name in NAMED_FORMS:
        return NAMED_FORMS[name]
    if name in ("tflite_int8", "tflite_int16x8"):
        mode = name.removeprefix("tflite_")
        raise ValueError(
            f'{mode} needs representative data: give TFLite("{mode}", representative_data=...) in forms.'
        )
    if name == "saved_model":
        raise ValueError("The SavedModel is always written: forms names what lies beside it.")
    hint = nearest(name, NAMED_FORMS)
    raise ValueError(f"forms must be among {list(NAMED_FORMS)}. Received: {name!r}.{hint}")


def form_path(directory: str, form: Form) -> str:
    """Return where a form lies beside the SavedModel.

    Args:
        directory: The SavedModel's folder, `.../Format-Serving`.
        form: The form.
    """
    root = os.path.dirname(os.path.abspath(directory))
    return os.path.join(root, form.folder, form.file_name)


def is_serving_folder(directory: str) -> bool:
    """Return whether a folder is the one that the other forms lie beside."""
    return os.path.basename(os.path.abspath(directory)) == Model.SERVING_FOLDER
