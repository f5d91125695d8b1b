"""A scikit-learn estimator, asked as a SavedModel is: each feature is an input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from penstock.server.errors import InternalError, InvalidArgumentError
from penstock.server.servables.signature import ANY, SignatureInfo, TensorInfo
from penstock.serving.estimator import read_estimator
from penstock.serving.signature import DEFAULT_SIGNATURE

if TYPE_CHECKING:
    import numpy.typing as npt

_DTYPES = {"all_classes": "string", "probabilities": "float64", "logistic": "float64"}


class EstimatorModel:
    """A loaded estimator; loading it runs the code of its pickle.

    Args:
        path: The folder of `model.pkl`.

    Attributes:
        signatures: `serving_default`: the features as inputs, numbers or text; the outputs of
            `penstock.serving.estimator.Estimator.outputs`.
        signature_defs: None: it has no graph.

    Raises:
        ModelError: If it is damaged, or no estimator with the features that it reads.
    """

    def __init__(self, path: str) -> None:
        self._estimator = read_estimator(path)
        inputs = {name: TensorInfo(ANY, None) for name in self._estimator.feature_keys}
        outputs = {
            name: TensorInfo(_DTYPES.get(name, ANY), (-1,) if name == "logistic" else (-1, -1))
            for name in self._estimator.output_names
        }
        self.signatures: Mapping[str, SignatureInfo] = {
            DEFAULT_SIGNATURE: SignatureInfo(
                DEFAULT_SIGNATURE, "tensorflow/serving/predict", inputs, outputs
            )
        }
        self.signature_defs: Mapping[str, Any] = {}

    def run(
        self, signature: str, inputs: Mapping[str, npt.NDArray[Any]]
    ) -> dict[str, npt.NDArray[Any]]:
        """Return what the estimator predicts.

        Raises:
            InvalidArgumentError: If it refuses the values.
            InternalError: If it fails.
        """
        try:
            columns = [_lists(name, array) for name, array in inputs.items()]
            return self._estimator.outputs(pa.RecordBatch.from_arrays(columns, list(inputs)))
        except (ValueError, TypeError, pa.ArrowException) as error:
            raise InvalidArgumentError(str(error)) from error
        except Exception as error:
            raise InternalError(f"The estimator failed: {type(error).__name__}: {error}") from error

    def settle(self) -> None:
        """Choose nothing: there is one way to compute it."""

    def close(self) -> None:
        """Forget the estimator."""
        del self._estimator


def _lists(name: str, array: npt.NDArray[Any]) -> pa.LargeListArray:
    """Return `[rows]` or `[rows, values]` as a list for each row; NaN is a missing value."""
    if array.ndim not in (1, 2):
        raise ValueError(f"{name!r} has one value or one list a row. Received: {list(array.shape)}")
    if array.dtype == object:
        rows = [
            None if row is None else row if array.ndim == 2 else [row] for row in array.tolist()
        ]
        return pa.array(rows, pa.large_list(pa.large_binary()))
    size = 1 if array.ndim == 1 else array.shape[1]
    ends = np.arange(len(array) + 1, dtype=np.int64) * size
    return pa.LargeListArray.from_arrays(pa.array(ends), pa.array(array.reshape(-1)))
