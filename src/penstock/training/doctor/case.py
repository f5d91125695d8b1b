"""What the doctor knows of a training before its first batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from penstock.training.doctor.forward import Look
from penstock.training.doctor.heads import Head
from penstock.training.doctor.sample import Sample


@dataclass(frozen=True)
class Case:
    """A model, its data and its plan.

    Args:
        model: The compiled model.
        heads: Its outputs with their losses and labels.
        look: What its layers do with a few rows; None if it could not be called.
        train: A sample of the training data; None if there is none.
        validation: A sample of the validation data; None if there is none.
        has_validation_data: Whether there are validation data at all.
        epochs: Epochs to train.
        steps_per_epoch: Batches of an epoch; None for all.
        num_rows: Rows of the training data; None if that is not known.
        handles_non_finite: Whether the model gives finite outputs for rows that hold NaN or infinity.
    """

    model: Any
    heads: list[Head]
    look: Look | None
    train: Sample | None
    validation: Sample | None
    has_validation_data: bool
    epochs: int
    steps_per_epoch: int | None
    num_rows: int | None
    handles_non_finite: bool = False
