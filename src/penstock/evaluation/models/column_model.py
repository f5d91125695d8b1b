"""Predictions that the examples hold already."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

import numpy.typing as npt

from penstock.evaluation.models.signature_model import DEFAULT_SIGNATURE

if TYPE_CHECKING:
    from penstock.evaluation.examples import ExampleBatch

Array = npt.NDArray[Any]


class ColumnModel:
    """Predictions that are columns of the examples already, made by a model that nobody asks here.

    Args:
        names: The columns, as the ModelSpec's `prediction_key` and `prediction_keys` name them.

    Raises:
        ValueError: If there are none.
    """

    USES_TENSORFLOW: ClassVar = False
    IN_THREADS: ClassVar = False
    path = ""
    signatures = (DEFAULT_SIGNATURE,)

    def __init__(self, names: Collection[str]) -> None:
        if not names:
            raise ValueError(
                "Without a model, predictions are columns of the examples: name them in "
                "ModelSpec.prediction_key, or give a model."
            )
        self.features = list(names)

    def output_names(self, name: str) -> list[str]:
        """Return the columns."""
        del name
        return sorted(self.features)

    def output_size(self, name: str, output: str) -> int | None:
        """Return None: the rows say how many values there are."""
        del name, output
        return None

    def of_batch(self, batch: ExampleBatch) -> dict[str, Array]:
        """Return the columns of a batch.

        Raises:
            ValueError: If one is missing, or its rows have different numbers of values.
        """
        return {name: batch.dense(name, "prediction") for name in self.features}
