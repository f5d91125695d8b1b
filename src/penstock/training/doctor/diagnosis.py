"""Where numbers that are not finite came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from penstock.training.doctor.finding import Finding
from penstock.training.doctor.forward import is_finite, look
from penstock.training.doctor.sample import columns_of

_NAMED = 3


def non_finite_findings(
    model: Any, batch: Sequence[Any] | None, rows: Sequence[Any] | None, step: int
) -> list[Finding]:
    """Return what is to be said of a loss that is not finite: the feature, or the layers.

    Args:
        model: The model, after the step.
        batch: The batch of the step; None if it is not known.
        rows: A few other rows; None without them.
        step: The step.

    Returns:
        Nothing if the optimizer scales the loss and left out the step, so that all is well again.
    """
    weights = _non_finite_weights(model)
    if not weights and hasattr(model.optimizer, "dynamic_scale"):
        return []
    names = [tensor.name for tensor in getattr(model, "inputs", None) or []]
    found = _in_batch(batch, names, step) if batch is not None else []
    if found:
        return found
    named = ", ".join(weights[:_NAMED]) + (
        f" and {len(weights) - _NAMED} more" if weights[_NAMED:] else ""
    )
    subject = f"layer {weights[0]!r}" if weights else _layer(model, rows) or "loss"
    after = (
        f" The weights of layer {named} are no longer finite."
        if weights
        else " All weights are still finite."
    )
    return [
        Finding(
            "non-finite-loss",
            subject,
            f"The loss is NaN or infinite.{after}",
            "Look for a learning rate that is too high, NaN in the data, or a logarithm or root of 0 in "
            "the loss or a layer; the optimizer's clipnorm=1.0 limits single large gradients.",
            step,
        )
    ]


def _in_batch(batch: Sequence[Any], names: Sequence[str], step: int) -> list[Finding]:
    import numpy as np

    features, labels = columns_of(batch, names)

    named = [(f"feature {name!r}", values) for name, values in features.items()]
    named += [
        (f"labels of {name!r}" if name else "labels", values) for name, values in labels.items()
    ]
    return [
        Finding(
            "non-finite-input",
            subject,
            f"{subject[0].upper()}{subject[1:]} of this step's batch holds NaN or infinity, and made the "
            "loss NaN.",
            "Replace missing values, in Transform with penstock.transform.fill_missing, or leave out the "
            "rows.",
            step,
        )
        for subject, values in named
        if values.dtype.kind == "f" and not np.isfinite(values).all()
    ]


def _non_finite_weights(model: Any) -> list[str]:
    """Return the layers that hold weights which are not finite."""
    names = []
    for variable in model.trainable_variables:
        if not is_finite(variable.numpy()):
            names.append(variable.path.split("/")[-2:][0])
    return list(dict.fromkeys(names))


def _layer(model: Any, rows: Sequence[Any] | None) -> str | None:
    if rows is None:
        return None
    for each in look(model, rows[0]).passes:
        if each.input_is_finite and not each.output_is_finite:
            return f"layer {each.layer.name!r}"
    return None
