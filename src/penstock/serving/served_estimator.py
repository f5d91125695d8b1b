"""Predicting with a pushed scikit-learn estimator: rows in, dicts out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from penstock.serving.estimator import Estimator, read_estimator

if TYPE_CHECKING:
    import numpy.typing as npt


class ServedEstimator:
    """A scikit-learn estimator that predicts from rows of its features.

    Args:
        path: The folder of `model.pkl`. Loading it runs the pickle's code.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._estimator: Estimator = read_estimator(path)

    @property
    def features(self) -> tuple[str, ...]:
        """The features that it reads."""
        return self._estimator.feature_keys

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes in the order of the probabilities."""
        return self._estimator.class_names

    def predict(self, rows: Any) -> list[dict[str, Any]]:
        """Return what the estimator predicts for each row.

        Args:
            rows: Features by name: a list of dicts, one dict, a pandas DataFrame, an Arrow table or batch.

        A missing value is NaN for the estimator.

        Returns:
            A list of one dict per row: `probabilities` and `class_name` of a classifier, and
            `predictions` of another estimator.

        Raises:
            ValueError: If no row has a feature, or one has another number of values.

        Example:
            >>> model.predict([{"bill_length_mm": 46.5, "bill_depth_mm": 17.9}])
            [{'class_name': 'Chinstrap', 'probabilities': [0.1, 0.0, 0.9]}]
        """
        outputs = self._outputs(rows)
        if not outputs:
            return []
        if "predictions" in outputs:
            return [{"predictions": value} for value in outputs["predictions"].tolist()]
        names = self.class_names or [name.decode() for name in outputs["all_classes"][0]]
        return [
            {"class_name": names[int(scores.argmax())], "probabilities": scores.tolist()}
            for scores in outputs["probabilities"]
        ]

    def predict_arrays(self, rows: Any) -> dict[str, npt.NDArray[Any]]:
        """Return what the estimator predicts for all rows as NumPy arrays.

        Args:
            rows: As for `predict`.

        Returns:
            `probabilities` `[rows, classes]` of a classifier, `predictions` of another estimator; empty
            without rows.

        Raises:
            ValueError: As `predict`.

        Example:
            >>> model.predict_arrays(table)["probabilities"].shape
            (344, 3)
        """
        outputs = self._outputs(rows)
        return {name: outputs[name] for name in ("probabilities", "predictions") if name in outputs}

    def _outputs(self, rows: Any) -> dict[str, npt.NDArray[Any]]:
        import pyarrow as pa

        from penstock.serving.feature_values import feature_lists
        from penstock.serving.rows import rows_of

        given = rows_of(rows)
        if not given.count:
            return {}
        columns = {
            name: feature_lists(name, given.columns[name], None)
            for name in self.features
            if name in given.columns
        }
        batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
        return self._estimator.outputs(batch)
