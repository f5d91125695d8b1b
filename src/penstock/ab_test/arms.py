"""The rows of two versions: asked now, or as a server logged their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.ab_test.differences import Arm
from penstock.baseline_comparison.classes import Classes
from penstock.baseline_comparison.metric_directions import CLASS_METRICS
from penstock.baseline_comparison.model_predictions import ModelPredictions, predict_split
from penstock.io import ExamplesSplit, read_columns
from penstock.spelling import did_you_mean

if TYPE_CHECKING:
    import numpy.typing as npt

    _Array = npt.NDArray[Any]

SERVED = "served."
_OUTPUT, _VERSION = f"{SERVED}output.", f"{SERVED}version"
_LABEL, _TIME = f"{SERVED}label", f"{SERVED}time"
REQUEST, BUCKET = f"{SERVED}request_id", f"{SERVED}bucket"


class Arms:
    """The rows of a candidate and of a baseline, for one metric after the other.

    Args:
        labels: What was right in each row, of the candidate and of the baseline.
        predictions: What each said.
        class_names: What each calls its classes, in the order of its scores; may be empty.
        units: Which unit each row belongs to, of each; None if each row is alone.
        paired: Whether row i is the same row in both.
    """

    def __init__(
        self,
        labels: Sequence[_Array],
        predictions: Sequence[_Array],
        class_names: Sequence[Sequence[str]],
        units: Sequence[npt.NDArray[np.int64] | None],
        *,
        paired: bool,
    ) -> None:
        self._labels, self._predictions = labels, predictions
        self._class_names, self._units = class_names, units
        self.paired = paired

    @property
    def rows(self) -> tuple[int, int]:
        """How many rows each has."""
        return len(self._labels[0]), len(self._labels[1])

    def for_metric(self, name: str) -> tuple[Arm, Arm]:
        """Return both arms with labels and predictions in the form that a metric takes."""
        labels, predictions = list(self._labels), list(self._predictions)
        if name in CLASS_METRICS:
            names = [each for some in self._class_names for each in some]
            classes = Classes.of(np.concatenate(labels), names)
            for i, whose in enumerate(("The candidate", "The baseline")):
                predictions[i] = classes.scores(predictions[i], self._class_names[i], whose)
                labels[i] = classes.indices(labels[i])
        candidate, baseline = (
            Arm(*each) for each in zip(labels, predictions, self._units, strict=True)
        )
        return candidate, baseline


def asked(
    splits: Sequence[ExamplesSplit],
    candidate: str,
    baseline: str,
    *,
    label_key: str,
    prediction_key: str = "",
    class_names: Sequence[str] = (),
    unit_key: str = "",
) -> Arms:
    """Ask both models about the rows of splits that have a label.

    Args:
        splits: The rows, with raw features.
        candidate: The folder of one model.
        baseline: The folder of the other.
        label_key: The feature that is right.
        prediction_key: The output that is compared; needed if there are several that could be.
        class_names: The classes in the order of the scores, if the models do not say them.
        unit_key: The feature that says which rows belong together.

    Raises:
        ValueError: If a feature or an output is missing.
    """
    wanted = [label_key, *([unit_key] if unit_key else [])]
    columns = _columns(splits)
    _require(columns, wanted)
    known = is_known(columns[label_key])
    answers = [
        [predict_split(model, split, label_key) for split in splits]
        for model in (candidate, baseline)
    ]
    said = [np.concatenate([each.chosen(prediction_key) for each in parts]) for parts in answers]
    units = unit_numbers(columns[unit_key][known]) if unit_key else None
    return Arms(
        [columns[label_key][known]] * 2,
        [each[known] for each in said],
        [tuple(class_names) or parts[0].class_names for parts in answers],
        [units, units],
        paired=True,
    )


def logged(
    splits: Sequence[ExamplesSplit],
    candidate: str,
    baseline: str,
    *,
    label_key: str,
    prediction_key: str = "",
    class_names: Sequence[str] = (),
    unit_key: str = "",
) -> Arms:
    """Return what two versions answered, as a server logged it and `penstock label` gave it labels.

    Only the time in which both answered counts: what was asked before may have been something else.

    Args:
        splits: The logged rows.
        candidate: One version: its number, or the label under which it was asked.
        baseline: The other.
        label_key: As in `asked`.
        prediction_key: As in `asked`.
        class_names: As in `asked`.
        unit_key: As in `asked`; by default what divided the traffic: a part of the users, or the request.

    Raises:
        ValueError: If there is no row of a version, they never answered at the same time, or a feature or
            an output is missing.
    """
    columns = _columns(splits)
    unit_key = unit_key or (BUCKET if BUCKET in columns else REQUEST)
    _require(columns, [label_key, unit_key, _VERSION, _TIME])
    outputs = {
        name.removeprefix(_OUTPUT): values
        for name, values in columns.items()
        if name.startswith(_OUTPUT)
    }
    said = ModelPredictions(outputs, ()).chosen(prediction_key)
    known = is_known(columns[label_key])
    answered = [_answered_by(columns, each) for each in (candidate, baseline)]
    times = columns[_TIME]
    begin = max(times[each].min() for each in answered)
    end = min(times[each].max() for each in answered)
    if begin > end:
        raise ValueError(f"{candidate!r} and {baseline!r} never answered at the same time.")
    known &= (times >= begin) & (times <= end)
    places = [known & each for each in answered]
    units = unit_numbers(columns[unit_key])
    return Arms(
        [columns[label_key][each] for each in places],
        [said[each] for each in places],
        [tuple(class_names)] * 2,
        [units[each] for each in places],
        paired=False,
    )


def _columns(splits: Sequence[ExamplesSplit]) -> dict[str, _Array]:
    """Return the columns of splits, one after the other; what one of them lacks is missing there."""
    parts = [read_columns(split) for split in splits]
    rows = [len(next(iter(part.values()), ())) for part in parts]
    found: dict[str, _Array] = {}
    for name in {name: None for part in parts for name in part}:
        like = next(part[name] for part in parts if name in part)
        missing = None if like.dtype == object else np.nan
        found[name] = np.concatenate(
            [
                part.get(name, np.full(count, missing))
                for part, count in zip(parts, rows, strict=True)
            ]
        )
    return found


def _answered_by(columns: Mapping[str, _Array], version: str) -> npt.NDArray[np.bool_]:
    """Return which rows a version answered."""
    if version.isdecimal():
        found: npt.NDArray[np.bool_] = columns[_VERSION].astype(np.float64) == int(version)
        known: Sequence[Any] = [str(int(each)) for each in np.unique(columns[_VERSION])]
    else:
        labels = columns.get(_LABEL, np.array([], dtype=object))
        texts = [each.decode() if isinstance(each, bytes) else "" for each in labels.tolist()]
        found = np.array([each == version for each in texts], bool)
        known = sorted({each for each in texts if each})
    if not found.any():
        raise ValueError(f"No row was answered by {version!r}.{did_you_mean(version, known)}")
    answered = sorted({int(each) for each in columns[_VERSION][found]})
    if len(answered) > 1:
        raise ValueError(
            f"The label {version!r} named the versions {', '.join(map(str, answered))} while these "
            "requests were answered. Give the version's number."
        )
    return found


def unit_numbers(values: _Array) -> npt.NDArray[np.int64]:
    """Return a number from 0 for each distinct value."""
    numbers: dict[Any, int] = {}
    return np.array([numbers.setdefault(each, len(numbers)) for each in values.tolist()], np.int64)


def is_known(labels: _Array) -> npt.NDArray[np.bool_]:
    """Return which labels there are: neither None nor NaN."""
    if labels.dtype.kind == "f":
        missing = np.isnan(labels).reshape(len(labels), -1).any(axis=1)
        return np.logical_not(missing)
    if labels.dtype == object:
        return np.array([each is not None for each in labels], dtype=bool)
    return np.ones(len(labels), dtype=bool)


def _require(columns: Mapping[str, _Array], names: Sequence[str]) -> None:
    for name in names:
        if name not in columns:
            raise ValueError(f"The rows have no feature {name!r}.{did_you_mean(name, columns)}")
