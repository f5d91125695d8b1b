"""The ways to make a model smaller, with their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from penstock.spelling import names_its_arguments, nearest

MODES = ("dynamic_range", "float16", "int8", "int16x8")
_WITH_DATA = ("int8", "int16x8")


@names_its_arguments
@dataclass(frozen=True)
class Quantization:
    """Fewer bits for each number, by TFLite's converter.

    Args:
        mode: "dynamic_range" stores weights in 8 bits; "float16" stores them in 16; "int8" computes in
            integers of 8 bits; "int16x8" has weights of 8 bits, and 16 bits for what flows between layers.
        representative_split: For "int8" and "int16x8": the rows that the ranges are measured on.
            By default "train".
        representative_rows: For "int8" and "int16x8": how many rows of it. By default 300.

    Raises:
        ValueError: If the mode is unknown, or an option has no effect in it.

    Example:
        >>> Quantization("int8").representative_rows
        300
    """

    mode: str = "dynamic_range"
    representative_split: str | None = None
    representative_rows: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(
                f"mode must be one of {list(MODES)}. Received: {self.mode!r}."
                f"{nearest(str(self.mode), MODES)}"
            )
        if self.measures_ranges:
            if self.representative_rows is None:
                object.__setattr__(self, "representative_rows", 300)
            if self.representative_split is None:
                object.__setattr__(self, "representative_split", "train")
            if not self.representative_rows or self.representative_rows < 1:
                raise ValueError(
                    f"representative_rows must be 1 or more. Received: {self.representative_rows}"
                )
        elif self.representative_split is not None or self.representative_rows is not None:
            raise ValueError(
                f"The mode {self.mode!r} measures no ranges: representative_split and representative_rows "
                "are for int8 and int16x8."
            )

    @property
    def measures_ranges(self) -> bool:
        """Whether the mode needs rows."""
        return self.mode in _WITH_DATA


@names_its_arguments
@dataclass(frozen=True)
class Pruning:
    """The smallest weights become 0, and the model is trained on to make up for them.

    The sparsity of each layer grows as in Zhu and Gupta, "To prune, or not to prune" (2017):
    `sparsity * (1 - (1 - t)**3)`, where `t` goes from 0 to 1 in the first two thirds of the training.

    Args:
        sparsity: The share of weights of each layer that become 0. Biases, and other variables of one
            dimension, are not pruned.
        layer_sparsity: Another share for layers by name; 0 leaves a layer as it is.
        epochs: How long the model is trained on.
        batch_size: Rows in a batch.
        learning_rate: Of Adam.
        train_split: The rows to train on.

    Raises:
        ValueError: If a number is out of its range.

    Example:
        >>> Pruning(sparsity=0.8, layer_sparsity={"probabilities": 0.0}).of_layer("dense")
        0.8
    """

    sparsity: float = 0.75
    layer_sparsity: Mapping[str, float] = field(default_factory=dict)
    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 1e-3
    train_split: str = "train"

    def __post_init__(self) -> None:
        for name, value in {"sparsity": self.sparsity, **self.layer_sparsity}.items():
            if not 0 <= value < 1:
                raise ValueError(f"The sparsity is from 0 to below 1. Received: {name}={value}")
        if not self.sparsity and not any(self.layer_sparsity.values()):
            raise ValueError("A sparsity of 0 prunes nothing.")
        _check_training(self.epochs, self.batch_size, self.learning_rate)

    def of_layer(self, name: str) -> float:
        """Return the sparsity of a layer."""
        return self.layer_sparsity.get(name, self.sparsity)


@names_its_arguments
@dataclass(frozen=True)
class Distillation:
    """A smaller model, the student, learns what the model says as well as the labels.

    The loss is `hard_weight * loss(label) + (1 - hard_weight) * loss(teacher)`. For classes the second
    part is `T**2 * KL(teacher || student)`, both softened by the temperature `T`: Hinton et al.,
    "Distilling the Knowledge in a Neural Network" (2015). For values both parts are squared errors.

    Args:
        student_fn: The module's function that returns the student, an untrained Keras model of the same
            inputs and output, from the teacher.
        temperature: For classes: how much the teacher's probabilities are softened. By default 3.
        hard_weight: How much the labels count.
        epochs: How long the student is trained.
        batch_size: Rows in a batch.
        learning_rate: Of Adam.
        train_split: The rows to train on.

    Raises:
        ValueError: If a number is out of its range.
    """

    student_fn: str = "student_fn"
    temperature: float | None = None
    hard_weight: float = 0.3
    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 3e-3
    train_split: str = "train"

    def __post_init__(self) -> None:
        if self.temperature is not None and self.temperature <= 0:
            raise ValueError(f"temperature must be above 0. Received: {self.temperature}")
        if not 0 <= self.hard_weight < 1:
            raise ValueError(
                "hard_weight is from 0 to below 1; at 1 the teacher would not count. "
                f"Received: {self.hard_weight}"
            )
        _check_training(self.epochs, self.batch_size, self.learning_rate)


Technique = Quantization | Pruning | Distillation


def _check_training(epochs: int, batch_size: int, learning_rate: float) -> None:
    if epochs < 1 or batch_size < 1 or learning_rate <= 0:
        raise ValueError(
            "epochs and batch_size must be 1 or more, and learning_rate above 0. Received: "
            f"epochs={epochs}, batch_size={batch_size}, learning_rate={learning_rate}"
        )
