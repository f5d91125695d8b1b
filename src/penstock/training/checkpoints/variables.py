"""The variables of a model, its optimizer and its metrics, as NumPy arrays, and what shape they have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_KINDS = ("model", "optimizer", "metrics")


def variables_of(model: Any) -> dict[str, list[Any]]:
    """Return the variables that training changes, by kind: model, optimizer and metrics.

    The state of the seed generators of layers such as Dropout is among those of the model.
    """
    optimizer = getattr(model, "optimizer", None)
    return {
        "model": list(model.variables),
        "optimizer": list(optimizer.variables) if optimizer is not None else [],
        "metrics": list(model.metrics_variables),
    }


def read_variables(model: Any, *, metrics: bool = True) -> dict[str, list[np.ndarray]]:
    """Return copies of the values of all variables, if wanted without those of metrics."""
    # A copy: on a CPU NumPy otherwise looks at the memory that the next step writes to.
    return {
        kind: [np.array(variable.numpy()) for variable in variables]
        for kind, variables in variables_of(model).items()
        if metrics or kind != "metrics"
    }


def assign_variables(model: Any, values: Mapping[str, Sequence[np.ndarray]]) -> None:
    """Assign the values that `read_variables` returned."""
    for kind, variables in variables_of(model).items():
        if kind in values:
            for variable, value in zip(variables, values[kind], strict=True):
                variable.assign(value)


def all_finite(values: Mapping[str, Sequence[np.ndarray]]) -> bool:
    """Return whether the values of the model and of its metrics are finite numbers."""
    return all(
        bool(np.isfinite(value).all())
        for kind in ("model", "metrics")
        for value in values.get(kind, ())
        if value.dtype.kind == "f"
    )


def structure_of(model: Any) -> dict[str, Any]:
    """Return what a checkpoint must fit: the layers, the optimizer, and the variables' shapes.

    Names of variables are kept for messages only: Keras counts them on in a process.
    """
    optimizer = getattr(model, "optimizer", None)
    return {
        "layers": [type(layer).__name__ for layer in model.layers],
        "optimizer_class": None if optimizer is None else type(optimizer).__name__,
        **{
            kind: [
                [str(variable.path), [int(size) for size in variable.shape], str(variable.dtype)]
                for variable in variables
            ]
            for kind, variables in variables_of(model).items()
        },
    }


def differences(saved: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """Return how the structure in a checkpoint differs from the code's, in words; empty if it fits."""
    found = []
    if saved["layers"] != current["layers"]:
        found.append(
            f"the layers were {', '.join(saved['layers'])} and are {', '.join(current['layers'])}"
        )
    if saved["optimizer_class"] != current["optimizer_class"]:
        found.append(
            f"the optimizer was {saved['optimizer_class']} and is {current['optimizer_class']}"
        )
    for kind in _KINDS:
        before, now = saved[kind], current[kind]
        if len(before) != len(now):
            found.append(f"the {kind} had {len(before)} variables and has {len(now)}")
            continue
        found += [
            f"{path} was {dtype}{shape} and is {new_dtype}{new_shape}"
            for (_, shape, dtype), (path, new_shape, new_dtype) in zip(before, now, strict=True)
            if [shape, dtype] != [new_shape, new_dtype]
        ]
    return found
