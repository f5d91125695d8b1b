"""A model as its clients see it, asked about rows in which values of features are exchanged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from penstock.baseline_comparison.classes import Classes
from penstock.baseline_comparison.metric_directions import CLASS_METRICS, lower_is_better
from penstock.baseline_comparison.metrics import measure
from penstock.baseline_comparison.model_predictions import ModelPredictions, class_names_of
from penstock.io.examples.columns import column_array
from penstock.serving import load_model
from penstock.spelling import did_you_mean

if TYPE_CHECKING:
    import numpy.typing as npt

_Places = Mapping[str, "npt.NDArray[np.int64]"]


class ServedModel:
    """A model asked through its serving signature.

    A feature's values are named by the rows that have them, so that they reach the model exactly as they
    are stored: the column `[3, 0, 1]` gives the first row the value of the fourth.

    Args:
        uri: The SavedModel's folder, or that of a scikit-learn estimator.
        table: The rows, with raw features; each column holds lists.
        label_key: The feature that is right; "" for none.
        prediction_key: The output to look at, if several could be meant.

    Raises:
        ValueError: If the rows have no such label.
    """

    def __init__(self, uri: str, table: pa.Table, label_key: str, prediction_key: str) -> None:
        if label_key and label_key not in table.column_names:
            raise ValueError(
                f"The examples have no feature {label_key!r}, which label_key names."
                f"{did_you_mean(label_key, table.column_names)}"
            )
        self._model = load_model(uri)
        self._table = table
        self._label_key = label_key
        self._prediction_key = prediction_key
        wanted = set(self._model.features) or set(table.column_names)
        self._features = [
            name for name in table.column_names if name in wanted and name != label_key
        ]

    def places(self, features: Sequence[str] = ()) -> dict[str, npt.NDArray[np.int64]]:
        """Return each feature's own rows, in order: what `score_by` and `number_of` take.

        Args:
            features: All that the model reads by default.

        Raises:
            ValueError: If the model does not read a feature.
        """
        for name in features:
            if name not in self._features:
                raise ValueError(
                    f"The model reads no feature {name!r}.{did_you_mean(name, self._features)}"
                )
        rows = np.arange(self._table.num_rows)
        return dict.fromkeys(features or self._features, rows)

    def predict(self, places: _Places) -> npt.NDArray[Any]:
        """Return the predictions for rows whose features have the values at these places."""
        rows = len(next(iter(places.values())))
        own = np.arange(rows) % max(1, self._table.num_rows)
        columns = {
            name: self._table.column(name).take(pa.array(places.get(name, own)))
            for name in self._features
        }
        outputs = self._model.predict_arrays(pa.table(columns))
        return ModelPredictions(outputs, ()).chosen(self._prediction_key)

    def score_by(self, metric: str) -> Callable[[_Places], float]:
        """Return what measures the predictions by a metric; more is better.

        Args:
            metric: The metric's name.
        """
        labels = column_array(self._table.column(self._label_key))
        sign = -1.0 if lower_is_better(metric) else 1.0
        if metric not in CLASS_METRICS:
            return lambda places: sign * measure(metric, labels, self.predict(places))
        names = class_names_of(self._model, self._label_key)
        classes = Classes.of(labels, names)
        right = classes.indices(labels)

        def score(places: _Places) -> float:
            said = classes.scores(self.predict(places), names, "The model")
            return sign * measure(metric, right, said)

        return score

    def number_of(
        self, target_class: int | None
    ) -> tuple[Callable[[_Places], npt.NDArray[Any]], int]:
        """Return what gives the number that is explained, and the class whose score it is.

        Args:
            target_class: The class; None for the one that the model gives most often.
        """
        scores = self.predict(self.places())
        if scores.ndim > 1 and scores.shape[1] > 1 and target_class is None:
            target_class = int(np.bincount(scores.argmax(axis=1)).argmax())
        chosen = target_class or 0
        width = scores.shape[1] if scores.ndim > 1 else 1
        if chosen >= width:
            raise ValueError(f"target_class is 0 to {width - 1}. Received: {chosen}")

        def number(places: _Places) -> npt.NDArray[Any]:
            found = self.predict(places)
            return found.reshape(len(found), -1)[:, chosen]

        return number, chosen
