"""What a model's outputs are, and which loss each of them is trained by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.training.doctor.forward import Look, Pass
from penstock.training.doctor.sample import Sample

if TYPE_CHECKING:
    import numpy as np

_KINDS = {
    "binary_crossentropy": "binary",
    "binary_focal_crossentropy": "binary",
    "categorical_crossentropy": "categorical",
    "categorical_focal_crossentropy": "categorical",
    "sparse_categorical_crossentropy": "sparse",
    "mean_squared_error": "regression",
    "mean_absolute_error": "regression",
    "mean_absolute_percentage_error": "regression",
    "mean_squared_logarithmic_error": "regression",
    "huber": "regression",
    "log_cosh": "regression",
    "poisson": "regression",
}
_SHORT = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
}


@dataclass(frozen=True)
class Head:
    """An output of a model with the loss and the labels that it is trained by.

    Args:
        name: The output's name; "" if the model has one output.
        loss: Name of the loss, such as "binary_crossentropy"; "" for one of the user's own.
        kind: "binary", "categorical", "sparse", "regression" or "".
        from_logits: Whether the loss applies softmax or sigmoid itself.
        ignored: The class that the loss leaves out; None for none.
        outputs: What the model gives for a few rows; None if it was not called.
        labels: The labels of the sample; None without them.
        last: The layer that gives the output; None if that is no layer.
        before: The layer that gives `last` its input; None if that is no layer.
    """

    name: str
    loss: str
    kind: str
    from_logits: bool
    ignored: int | None
    outputs: np.ndarray | None
    labels: np.ndarray | None
    last: Pass | None = None
    before: Pass | None = None

    @property
    def activation(self) -> str:
        """Name of the output's activation, "" if it is not known."""
        return self.last.activation if self.last is not None else ""

    @property
    def units(self) -> int | None:
        """Size of the output's last axis; None if it is not known, 1 for an output of shape (rows,)."""
        if self.outputs is None:
            return None
        return int(self.outputs.shape[-1]) if self.outputs.ndim > 1 else 1

    @property
    def subject(self) -> str:
        """How messages call the output: by its layer, or its name."""
        if self.last is not None:
            return f"layer {self.last.layer.name!r}"
        return f"output {self.name!r}" if self.name else "the model's output"

    @property
    def label_subject(self) -> str:
        """How messages call the labels."""
        return f"labels of {self.name!r}" if self.name else "labels"


def heads_of(model: Any, look: Look | None, sample: Sample | None) -> list[Head]:
    """Return the heads of a compiled model."""
    outputs = look.outputs if look is not None else {}
    labels = sample.labels if sample is not None else {}
    names = list(outputs) or list(labels) or [""]
    heads = []
    for position, name in enumerate(names):
        loss, options = _loss_of(getattr(model, "loss", None), name, position)
        mine = labels.get(name)
        if mine is None and len(labels) == len(names):
            mine = list(labels.values())[position]
        last = before = None
        if look is not None:
            last, before = _last_layers(look, outputs.get(name))
        heads.append(
            Head(
                name=name,
                loss=loss,
                kind=_KINDS.get(loss, ""),
                from_logits=bool(options.get("from_logits", False)),
                ignored=options.get("ignore_class"),
                outputs=outputs.get(name),
                labels=mine,
                last=last,
                before=before,
            )
        )
    return heads


def _loss_of(losses: Any, name: str, position: int) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the options of the loss of an output; no name for one of the user's own."""
    if isinstance(losses, Mapping):
        losses = losses.get(name) if name else next(iter(losses.values()), None)
    elif isinstance(losses, list | tuple):
        losses = losses[position] if position < len(losses) else None
    if isinstance(losses, str):
        return _snake(losses), {}
    options = getattr(losses, "_fn_kwargs", {})
    function = getattr(losses, "fn", losses)
    home = getattr(function, "__module__", "") or ""
    if not home.startswith("keras."):
        return "", {}
    return _snake(getattr(function, "__name__", "")), options


def _snake(name: str) -> str:
    """Return "mean_squared_error" for "MeanSquaredError", and for "mse"."""
    if name.islower():
        return _SHORT.get(name, name)
    words = "".join(f"_{each.lower()}" if each.isupper() else each for each in name)
    return _SHORT.get(name.lower(), words.lstrip("_"))


def _last_layers(look: Look, output: np.ndarray | None) -> tuple[Pass | None, Pass | None]:
    """Return the layer that gave an output, and the one that gave that layer its input.

    They are found by the numbers, so that it does not matter how the model was written. Of layers that
    gave the same the first one counts: one around it, such as a Sequential, only passes it on.
    """
    if output is None:
        return None, None
    last = _giver(look.passes, output)
    before = None if last is None or last.inputs is None else _giver(look.passes, last.inputs)
    return last, before


def _giver(passes: list[Pass], numbers: np.ndarray) -> Pass | None:
    import numpy as np

    for each in passes:
        given = each.outputs
        if given is not None and given.shape == numbers.shape and np.array_equal(given, numbers):
            return each
    return None
