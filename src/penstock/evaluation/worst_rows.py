"""The rows on which a model is most wrong: their ids and predictions, kept batch by batch."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import View
from penstock.evaluation.keys import value_text
from penstock.spelling import nearest

if TYPE_CHECKING:
    from penstock.evaluation.accumulation import InputsByView

FloatArray = npt.NDArray[np.float64]

WORST_ROWS_FILE = "worst_rows.json"


@dataclass(frozen=True)
class WorstRowsRequest:
    """Which rows to keep.

    Args:
        count: How many for each model and output.
        id_key: The feature that says which row it is.
        features: Further features to keep of each row, such as those of the slices.
        hidden: Features that are not written, such as those that the schema marks as personal.
    """

    count: int
    id_key: str
    features: Sequence[str] = ()
    hidden: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"worst_rows must be at least 1. Received: {self.count}")
        if self.id_key in self.hidden:
            raise ValueError(
                f"The id_key {self.id_key!r} is marked as PII in the schema, so it is not written. Name "
                "another feature that says which row it is."
            )

    @property
    def columns(self) -> list[str]:
        """The features to read."""
        return [self.id_key, *self.features]

    def check_features(self, available: Iterable[str]) -> None:
        """Raise a `ValueError` when the id is not a feature of the examples."""
        known = sorted(available)
        if self.id_key not in known:
            raise ValueError(
                f"The id_key {self.id_key!r} is not a feature of the examples."
                f"{nearest(self.id_key, known)} Features: {', '.join(known)}"
            )


@dataclass(frozen=True)
class WorstRow:
    """A row on which a model is far off.

    Args:
        id: What its id column holds.
        error: How far: the absolute difference of label and prediction; with classes, how much the score
            of the label's class lacks of 1. Infinite where the prediction is not a number.
        label: The label: a number, or a class id; None where it is hidden.
        prediction: The prediction: a number, or the class of the highest score.
        score: The score of the predicted class; None of a plain number.
        label_score: The score of the label's class; None of a plain number.
        baseline: The baseline's prediction, if there is a baseline.
        model: The model's name; empty for the only one.
        output: The output's name; empty for the only one.
        features: Further features by name.
    """

    id: str
    error: float
    label: float | None
    prediction: float
    score: float | None = None
    label_score: float | None = None
    baseline: float | None = None
    model: str = ""
    output: str = ""
    features: Mapping[str, Any] = field(default_factory=dict)


class WorstRows:
    """Keeps the worst rows of each model and output; equal whatever the batches and their order.

    Args:
        request: Which to keep.
        model_specs: The models; their baselines are no models to judge here.
        views: Models and outputs that metrics are computed of; those without a label are left out.

    Raises:
        ValueError: If there is no label, so that no row is better than another.
    """

    def __init__(
        self,
        request: WorstRowsRequest,
        model_specs: Iterable[Any],
        views: Iterable[tuple[str, str]],
    ) -> None:
        self.request = request
        specs = {spec.name: spec for spec in model_specs}
        self._baseline = next((name for name, spec in specs.items() if spec.is_baseline), None)
        labels = {
            (model, output): specs[model].label_keys.get(output, "") or specs[model].label_key
            for model, output in sorted(set(views))
            if model in specs and not specs[model].is_baseline
        }
        self._label_keys = {view: label for view, label in labels.items() if label}
        if not self._label_keys:
            raise ValueError(
                "worst_rows needs labels to compare predictions with: set label_key in the ModelSpec."
            )
        self._kept: dict[tuple[str, str], list[WorstRow]] = {view: [] for view in self._label_keys}

    def add(self, inputs: InputsByView, columns: pa.RecordBatch) -> None:
        """Add a batch.

        Args:
            inputs: Labels and predictions.
            columns: The features of its rows, with the id.

        Raises:
            ValueError: If the id is not among them.
        """
        self.request.check_features(columns.schema.names)
        for (model, output), kept in self._kept.items():
            seen = inputs.get(View(model, output))
            seen.check_predictions()
            errors = row_errors(seen)
            errors[seen.row_weights(True) == 0] = -1.0
            least = kept[-1].error if len(kept) == self.request.count else 0.0
            rows = self._candidates(errors, least)
            if not len(rows):
                continue
            other = None
            if self._baseline is not None:
                other = _predicted(inputs.get(View(self._baseline, output)), rows)
            made = self._rows(seen, columns, rows, errors[rows], other, (model, output))
            self._keep((model, output), made)

    def merge(self, other: WorstRows) -> None:
        """Add what another object kept of other rows."""
        for view, rows in other._kept.items():
            self._keep(view, rows)

    def rows(self) -> list[WorstRow]:
        """Return the rows, the worst of each model and output first."""
        return [row for rows in self._kept.values() for row in rows]

    def _candidates(self, errors: FloatArray, least: float) -> npt.NDArray[np.int64]:
        count = self.request.count
        if len(errors) > count:
            # All that are equal to the last one: which of them is kept is decided by their ids.
            least = max(least, float(np.partition(errors, -count)[-count]))
        return np.nonzero((errors >= least) & (errors >= 0))[0]

    def _keep(self, view: tuple[str, str], rows: Sequence[WorstRow]) -> None:
        found = sorted([*self._kept[view], *rows], key=lambda row: (-row.error, row.id))
        self._kept[view] = found[: self.request.count]

    def _rows(
        self,
        seen: MetricInputs,
        columns: pa.RecordBatch,
        rows: npt.NDArray[np.int64],
        errors: FloatArray,
        baseline: FloatArray | None,
        view: tuple[str, str],
    ) -> list[WorstRow]:
        request = self.request
        chosen = columns.take(pa.array(rows))
        ids = _texts(chosen, request.id_key)
        shown = [
            name
            for name in dict.fromkeys(request.features)
            if name not in request.hidden
            and name != request.id_key
            and name in columns.schema.names
        ]
        features = {name: _texts(chosen, name) for name in shown}
        labels = _labels(seen, rows)
        is_hidden = self._label_keys[view] in request.hidden
        predicted = _predicted(seen, rows)
        scores, label_scores = _scores(seen, rows)
        return [
            WorstRow(
                id=ids[i],
                error=float(errors[i]),
                label=None if is_hidden else float(labels[i]),
                prediction=float(predicted[i]),
                score=None if scores is None else float(scores[i]),
                label_score=None if label_scores is None else float(label_scores[i]),
                baseline=None if baseline is None else float(baseline[i]),
                model=view[0],
                output=view[1],
                features={name: values[i] for name, values in features.items()},
            )
            for i in range(len(rows))
        ]


def row_errors(inputs: MetricInputs) -> FloatArray:
    """Return how far off each row is, `[rows]`; see `WorstRow.error`."""
    predictions = inputs.predictions.astype(np.float64)
    if inputs.is_sparse:
        errors = 1.0 - _score_of(predictions, inputs.class_ids)
    else:
        errors = np.abs(inputs.dense_labels - predictions).max(axis=1, initial=0.0)
    errors[np.isnan(errors)] = np.inf
    return errors


def _score_of(predictions: FloatArray, classes: npt.NDArray[Any]) -> FloatArray:
    """Return the score of a class in each row; 0 where the class is not one of the model's."""
    known = (classes >= 0) & (classes < predictions.shape[1])
    scores = np.zeros(len(predictions))
    scores[known] = predictions[known, classes[known]]
    return scores


def _labels(inputs: MetricInputs, rows: npt.NDArray[np.int64]) -> FloatArray:
    if inputs.predictions.shape[1] > 1:
        return np.asarray(inputs.class_ids[rows], dtype=np.float64)
    return np.asarray(inputs.dense_labels[rows, 0], dtype=np.float64)


def _predicted(inputs: MetricInputs, rows: npt.NDArray[np.int64]) -> FloatArray:
    predictions = inputs.predictions[rows].astype(np.float64)
    if predictions.shape[1] > 1:
        return np.asarray(predictions.argmax(axis=1), dtype=np.float64)
    return predictions[:, 0]


def _scores(
    inputs: MetricInputs, rows: npt.NDArray[np.int64]
) -> tuple[FloatArray, FloatArray] | tuple[None, None]:
    if inputs.predictions.shape[1] == 1:
        return None, None
    predictions = inputs.predictions[rows].astype(np.float64)
    return predictions.max(axis=1), _score_of(predictions, inputs.class_ids[rows])


def _texts(columns: pa.RecordBatch, name: str) -> list[str]:
    column = columns.column(columns.schema.get_field_index(name))
    return [", ".join(map(_text, values or ())) for values in column.to_pylist()]


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value_text(value)


def write_worst_rows(worst: WorstRows, folder: str) -> None:
    """Write the worst rows as JSON; a number that JSON lacks becomes None."""
    request, rows = worst.request, worst.rows()
    content = {
        "id_key": request.id_key,
        "count": request.count,
        "hidden": sorted(request.hidden),
        "rows": [{name: _plain(value) for name, value in asdict(row).items()} for row in rows],
    }
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
    Path(folder, WORST_ROWS_FILE).write_text(text + "\n", encoding="utf-8")


def read_worst_rows(folder: str) -> Mapping[str, Any] | None:
    """Read what `write_worst_rows` wrote; None if the rows were not asked for."""
    file = Path(folder, WORST_ROWS_FILE)
    return json.loads(file.read_text("utf-8")) if file.is_file() else None


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
