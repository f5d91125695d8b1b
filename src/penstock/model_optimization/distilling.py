"""Distillation: a student learns the teacher's soft targets beside the labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import ops

from penstock.model_optimization.model_rows import structured
from penstock.model_optimization.techniques import Distillation

if TYPE_CHECKING:
    from penstock.model_optimization.model_rows import Rows

_EPSILON = 1e-7
_TEMPERATURE = 3.0


def distill(
    teacher: Any, student: Any, rows: Rows, distillation: Distillation, *, classes: bool
) -> None:
    """Train a student; it changes, and is compiled for its hard loss afterwards.

    Args:
        teacher: A trained Keras model of one output.
        student: A Keras model of the same inputs and the same shape of output.
        rows: The inputs by name, and the labels.
        distillation: How.
        classes: Whether the output is probabilities of classes, and not values.

    Raises:
        ValueError: If the shapes differ, an output is no probabilities, or a temperature is given for
            values.
    """
    if not classes and distillation.temperature is not None:
        raise ValueError("temperature softens probabilities of classes; values have none.")
    if tuple(teacher.output.shape) != tuple(student.output.shape):
        raise ValueError(
            f"The student's output has the shape {tuple(student.output.shape)}, the teacher's "
            f"{tuple(teacher.output.shape)}. They must be the same."
        )
    inputs, labels = rows
    said = teacher.predict(structured(teacher, inputs), verbose=0)
    if classes:
        _check_probabilities(said, "model")
        few = {name: each[:8] for name, each in inputs.items()}
        _check_probabilities(student.predict(structured(student, few), verbose=0), "student")
        loss = _class_loss(distillation.temperature or _TEMPERATURE, distillation.hard_weight)
    else:
        loss = _value_loss(distillation.hard_weight)
    said = said.reshape(len(said), -1)
    right = labels.reshape(len(labels), -1).astype(np.float32)
    student.compile(keras.optimizers.Adam(distillation.learning_rate), loss)
    student.fit(
        structured(student, inputs),
        np.concatenate([right, said], axis=1),
        epochs=distillation.epochs,
        batch_size=distillation.batch_size,
        verbose=0,
    )
    hard = "sparse_categorical_crossentropy" if said.shape[1] > 1 else "binary_crossentropy"
    student.compile(
        keras.optimizers.Adam(distillation.learning_rate), hard if classes else "mean_squared_error"
    )


def _class_loss(temperature: float, hard_weight: float) -> Callable[[Any, Any], Any]:
    def loss(target: Any, output: Any) -> Any:
        """Take the label and the teacher's probabilities side by side."""
        label, soft = target[:, 0], _columns(target[:, 1:])
        log = ops.log(ops.clip(_columns(output), _EPSILON, 1.0))
        hard = -ops.sum(ops.one_hot(ops.cast(label, "int32"), log.shape[-1]) * log, axis=-1)
        soft_log = ops.log_softmax(ops.log(ops.clip(soft, _EPSILON, 1.0)) / temperature)
        own_log = ops.log_softmax(log / temperature)
        apart = ops.sum(ops.exp(soft_log) * (soft_log - own_log), axis=-1)
        return hard_weight * hard + (1 - hard_weight) * temperature**2 * apart

    return loss


def _value_loss(hard_weight: float) -> Callable[[Any, Any], Any]:
    def loss(target: Any, output: Any) -> Any:
        """Take the values and the teacher's side by side."""
        flat = ops.reshape(output, (ops.shape(output)[0], -1))
        size = target.shape[-1] // 2
        hard = ops.mean(ops.square(target[:, :size] - flat), axis=-1)
        soft = ops.mean(ops.square(target[:, size:] - flat), axis=-1)
        return hard_weight * hard + (1 - hard_weight) * soft

    return loss


def _columns(probabilities: Any) -> Any:
    """Return a column for each class, also where there is one for the second of two."""
    if probabilities.shape[-1] > 1:
        return probabilities
    return ops.concatenate([1 - probabilities, probabilities], axis=-1)


def _check_probabilities(outputs: Any, whose: str) -> None:
    inside = bool(np.all(outputs >= 0) and np.all(outputs <= 1 + 1e-3))
    sums = np.allclose(outputs.sum(axis=-1), 1, atol=1e-2) if outputs.shape[-1] > 1 else True
    if outputs.ndim != 2 or not inside or not sums:
        raise ValueError(
            f"Distillation of classes needs probabilities, but the {whose}'s output of the shape "
            f"{outputs.shape} is none. End it with a softmax, or a sigmoid for one score."
        )
