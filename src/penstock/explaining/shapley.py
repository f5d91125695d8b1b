"""SHAP values by the library `shap`: what each raw feature adds to a row's score."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


def shap_values(
    predict: Callable[[dict[str, npt.NDArray[Any]]], npt.NDArray[Any]],
    columns: Mapping[str, npt.NDArray[Any]],
    *,
    rows: int = 30,
    background: int = 30,
    seed: int = 0,
) -> tuple[dict[str, npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """Return Shapley values by sampled permutations of the features, for any model.

    Args:
        predict: Returns the number of each row that is explained, shape (rows,).
        columns: By feature, one value a row; numbers, or bytes.
        rows: How many rows are explained, the first ones.
        background: How many rows stand for "the feature is not known".
        seed: Seed of the permutations.

    Returns:
        By feature the values, shape (rows,), and the number that the background gives each row: together
        they are the row's prediction.

    Raises:
        ImportError: If shap is not installed.
        ValueError: If a feature has several values a row.

    Source: Lundberg, Lee (2017), A Unified Approach to Interpreting Model Predictions,
    https://arxiv.org/abs/1705.07874; `shap.PermutationExplainer`.

    Example:
        >>> values, base = shap_values(predict, columns, rows=20)
        >>> values["fare"].shape
        (20,)
    """
    try:
        import shap
    except ImportError as error:
        raise ImportError(
            "SHAP values need shap, which is not installed: pip install 'penstock-ml[shap]'"
        ) from error
    names = list(columns)
    codes = {name: _Codes(name, values) for name, values in columns.items()}
    matrix = np.column_stack([codes[name].numbers for name in names])

    def explained(points: npt.NDArray[Any]) -> npt.NDArray[Any]:
        decoded = {name: codes[name].values(points[:, i]) for i, name in enumerate(names)}
        return np.asarray(predict(decoded), np.float64)

    draw = np.random.default_rng(seed)
    chosen = draw.permutation(len(matrix))[:background]
    masker = shap.maskers.Independent(matrix[chosen], max_samples=background)
    with _numpy_seed(seed):
        explainer = shap.PermutationExplainer(explained, masker, seed=seed)
        found = explainer(matrix[:rows], max_evals=4 * (2 * len(names) + 1), silent=True)
    values = {name: found.values[:, i] for i, name in enumerate(names)}
    base = np.broadcast_to(np.asarray(found.base_values, np.float64), (len(found.values),))
    return values, base


class _Codes:
    """A feature's values as numbers: texts by their place among the different ones."""

    def __init__(self, name: str, values: npt.NDArray[Any]) -> None:
        if values.ndim != 1 or (values.dtype == object and _has_arrays(values)):
            raise ValueError(
                f"SHAP values are of features with one value a row. Received: {name!r}, {values.shape}"
            )
        self._dtype = values.dtype
        self._texts: npt.NDArray[Any] | None = None
        self.numbers = values
        if values.dtype == object:
            different = sorted({each for each in values if each is not None})
            self._texts = np.array([*different, None], dtype=object)
            places = {each: place for place, each in enumerate(different)}
            numbers = [places.get(each, len(different)) for each in values]
            self.numbers = np.array(numbers, np.float64)

    def values(self, numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the values that the numbers stand for."""
        if self._texts is not None:
            found: npt.NDArray[Any] = self._texts[np.rint(numbers).astype(np.int64)]
        else:
            found = numbers.astype(self._dtype)
        return found


def _has_arrays(values: npt.NDArray[Any]) -> bool:
    return any(isinstance(each, np.ndarray) for each in values)


@contextlib.contextmanager
def _numpy_seed(seed: int) -> Any:
    """Seed NumPy's global generator, which shap draws from, within the block."""
    state = np.random.get_state()
    np.random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(state)
