"""Precision and recall of sets: labels and predictions that are lists of classes of any length.

Definitions follow TensorFlow Model Analysis 0.52, set_match_confusion_matrix_metrics.py and
preprocessors/set_match_preprocessors.py of tensorflow_model_analysis/metrics.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import FloatArray, Sums
from penstock.evaluation.metrics.binary import precision_of, recall_of
from penstock.evaluation.metrics.matrices import Matrices
from penstock.evaluation.metrics.registry import Computation, MetricValue, metric

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class _Sets:
    """What a set match looks at.

    Args:
        thresholds: Above which a score counts as a prediction.
        top_k: How many of the predicted classes count, from the first on.
        classes: The output with the predicted classes.
        scores: The output with their scores.
        class_key: The feature with the classes that have weights; the labels without one.
        weight_key: The feature with the classes' weights.
    """

    thresholds: tuple[float, ...]
    top_k: int | None
    classes: str
    scores: str
    class_key: str | None
    weight_key: str | None


class SetMatches(Sums):
    """True and false positives and negatives of sets at thresholds. Params: a `_Sets`."""

    NEEDS_NUMBERS = False

    @property
    def width(self) -> int:
        """Four counts per threshold."""
        return 4 * len(self.params.thresholds)

    def terms(self, inputs: MetricInputs) -> FloatArray:
        """Return tp, tn, fp, fn for each threshold."""
        rows, labels, scores, weights = self._pairs(inputs)
        columns = []
        count = len(inputs.labels)
        for threshold in self.params.thresholds:
            above = scores > threshold
            for kept in (labels & above, ~labels & ~above, ~labels & above, labels & ~above):
                columns.append(np.bincount(rows, weights * kept, minlength=count))
        return np.column_stack(columns)

    def _pairs(
        self, inputs: MetricInputs
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], FloatArray, FloatArray]:
        """Return each class of labels and predictions: row, whether it is a label, score, weight."""
        found = [
            (row, is_label, score, weight)
            for row, classes in enumerate(self._rows(inputs))
            for is_label, score, weight in classes
        ]
        rows, labels, scores, weights = zip(*found, strict=True) if found else ((), (), (), ())
        of_rows = inputs.row_weights(self.view.weighted)
        index = np.array(rows, dtype=np.int64)
        return (
            index,
            np.array(labels, dtype=bool),
            np.array(scores, dtype=np.float64),
            np.array(weights, dtype=np.float64) * of_rows[index],
        )

    def _rows(self, inputs: MetricInputs) -> Iterator[list[tuple[bool, float, float]]]:
        source, sets = inputs.source, self.params
        assert source is not None
        outputs = source.outputs(self.view.model_name)
        for name in (sets.classes, sets.scores):
            if name not in outputs:
                raise ValueError(
                    f"A set match needs the output {name!r}, which the model does not return. It returns: "
                    f"{', '.join(outputs)}. Name others in prediction_class_key and prediction_score_key."
                )
        labels = [set(each.tolist()) for each in inputs.labels[:, 0]]
        weights = self._class_weights(inputs, labels)
        columns = zip(labels, outputs[sets.classes], outputs[sets.scores], weights, strict=True)
        for row, (actual, classes, scores, by_class) in enumerate(columns):
            if len(classes) != len(scores):
                raise ValueError(
                    f"Row {row} of a batch has {len(classes)} classes in {sets.classes!r} and "
                    f"{len(scores)} scores in {sets.scores!r}."
                )
            kept = slice(None, sets.top_k)
            predicted = dict(zip(classes[kept].tolist(), scores[kept].tolist(), strict=True))
            each = [
                (name in actual, float(score), by_class.get(name, 1.0))
                for name, score in predicted.items()
            ]
            missed = (name for name in actual if name not in predicted)
            each += [(True, -np.inf, by_class.get(name, 1.0)) for name in missed]
            yield each

    def _class_weights(self, inputs: MetricInputs, labels: list[Any]) -> list[dict[Any, float]]:
        sets, source = self.params, inputs.source
        assert source is not None
        if not sets.weight_key:
            return [{} for _ in labels]
        classes = source.feature(sets.class_key) if sets.class_key else inputs.labels[:, 0]
        found = []
        for row, (names, weights) in enumerate(
            zip(classes, source.feature(sets.weight_key), strict=True)
        ):
            if len(names) != len(weights):
                raise ValueError(
                    f"Row {row} of a batch has {len(names)} classes and {len(weights)} weights in "
                    f"{sets.weight_key!r}."
                )
            found.append(dict(zip(names.tolist(), weights.tolist(), strict=True)))
        return found


def _register(class_name: str, of: Any) -> None:
    @metric(class_name)
    def build(
        thresholds: float | list[float] | None = None,
        top_k: int | None = None,
        prediction_class_key: str = "classes",
        prediction_score_key: str = "scores",
        class_key: str | None = None,
        weight_key: str | None = None,
    ) -> Computation:
        default = 0.5 if top_k is None else -np.inf
        given = default if thresholds is None else thresholds
        values = (given,) if isinstance(given, int | float) else tuple(given)
        sets = _Sets(
            values, top_k, prediction_class_key, prediction_score_key, class_key, weight_key
        )

        def value(state: FloatArray) -> MetricValue:
            found = of(Matrices(np.array(values), *state.reshape(-1, 4).T))
            return float(found[0]) if len(found) == 1 else found

        return Computation((SetMatches, sets), value, labels="lists", raw=True)


_register("SetMatchPrecision", precision_of)
_register("SetMatchRecall", recall_of)
