"""A scikit-learn estimator for evaluation: what stands for a SavedModel's signature."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import numpy.typing as npt

from penstock.evaluation.models.signature_model import DEFAULT_SIGNATURE
from penstock.serving.estimator import read_estimator


class EstimatorModel:
    """A pickled estimator that is called like a SavedModel with the one signature `serving_default`.

    Args:
        path: The folder of `model.pkl`.

    Raises:
        penstock.serving.ModelError: If it is damaged.
    """

    USES_TENSORFLOW: ClassVar = False
    IN_THREADS: ClassVar = False
    signatures = (DEFAULT_SIGNATURE,)

    def __init__(self, path: str) -> None:
        self.path = path
        self._estimator = read_estimator(path)

    def output_names(self, name: str) -> list[str]:
        """Return the names of what it predicts."""
        return self._estimator.output_names

    def output_size(self, name: str, output: str) -> int | None:
        """Return None: an estimator does not tell how many values it predicts."""
        return None

    def call(
        self,
        name: str,
        examples: Sequence[bytes],
        first_row: int = 0,
        *,
        only: Collection[str] | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Predict from serialized tf.Examples.

        Raises:
            ValueError: If an example lacks a feature; the message names it and the row.
        """
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

        columns = ExamplesToRecordBatchDecoder().DecodeBatch(list(examples))
        outputs = self._estimator.outputs(columns, first_row)
        return {key: value for key, value in outputs.items() if only is None or key in only}
