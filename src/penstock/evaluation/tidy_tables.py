"""An evaluation as tidy tables: one number, one point of a plot, or one threshold in each row."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from penstock.evaluation.keys import MetricKey, SubKey, message_slice_name, slice_columns
from penstock.evaluation.metric_values import numbers_of, value_numbers
from penstock.evaluation.records import read_messages, record_files
from penstock.spelling import nearest

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Table = Literal["metrics", "plots", "thresholds", "attributions"]

_TEXT, _NUMBER, _WHOLE, _TRUTH = "text", "number", "whole", "truth"
_SLICE = {"slice": _TEXT, "sliced_by": _TEXT}
_KEY = {
    "model": _TEXT,
    "output": _TEXT,
    "class_id": _WHOLE,
    "k": _WHOLE,
    "top_k": _WHOLE,
    "weighted": _TRUTH,
}
_VALUE = {
    "field": _TEXT,
    "position": _NUMBER,
    "value": _NUMBER,
    "lower": _NUMBER,
    "upper": _NUMBER,
    "standard_error": _NUMBER,
    "note": _TEXT,
}
_OF_THRESHOLD = (
    "true_positives",
    "false_positives",
    "true_negatives",
    "false_negatives",
    "precision",
    "recall",
    "false_positive_rate",
)
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "metrics": {
        **_SLICE,
        "metric": _TEXT,
        **_KEY,
        "aggregation": _TEXT,
        "is_change": _TRUTH,
        **_VALUE,
    },
    "plots": {
        **_SLICE,
        "kind": _TEXT,
        "name": _TEXT,
        **_KEY,
        "threshold": _NUMBER,
        **dict.fromkeys(_OF_THRESHOLD, _NUMBER),
        "lower": _NUMBER,
        "upper": _NUMBER,
        "prediction": _NUMBER,
        "label": _NUMBER,
        "actual_class": _WHOLE,
        "predicted_class": _WHOLE,
        "examples": _NUMBER,
    },
    "thresholds": {
        "metric": _TEXT,
        "model": _TEXT,
        "slice": _TEXT,
        "num_examples": _WHOLE,
        "kind": _TEXT,
        "passed": _TRUTH,
        "value": _NUMBER,
        "baseline": _NUMBER,
        "change": _NUMBER,
        "lower": _NUMBER,
        "upper": _NUMBER,
        "absolute": _NUMBER,
        "relative": _NUMBER,
        "direction": _TEXT,
        "reason": _TEXT,
    },
    "attributions": {**_SLICE, "metric": _TEXT, "feature": _TEXT, **_KEY, **_VALUE},
}
"""The columns of each table, with what they hold."""


def load_evaluation(path: str, table: Table = "metrics") -> pd.DataFrame | pa.Table:
    """Read an evaluation that Penstock or TFMA wrote as a tidy table.

    Args:
        path: An evaluation's folder, such as the `uri` of a ModelEvaluation.
        table: What to read: "metrics" has one row for each number, with its interval where there is one;
            "plots" one for each point of a curve, bucket or cell; "thresholds" one for each check;
            "attributions" one for each feature.

    Returns:
        A pandas DataFrame, or an Arrow table where pandas is not installed. `COLUMNS` names the columns.
        `slice` is the slice's name (`Overall` is the whole), `sliced_by` the features that it is cut by,
        `is_change` whether the number is the difference to the baseline. `field` and `position` say which
        part of a structured value a number is: "recall" at the threshold 0.5.

    Raises:
        FileNotFoundError: If there is no evaluation in the folder.
        ValueError: If there is no such table.

    Example:
        >>> metrics = load_evaluation(evaluation.uri)
        >>> metrics[metrics.metric == "auc"].sort_values("value")[["slice", "value", "lower", "upper"]]
    """
    if table not in COLUMNS:
        hint = nearest(table, COLUMNS)
        raise ValueError(f"There is no table {table!r}.{hint} Tables: {', '.join(COLUMNS)}")
    if not record_files(path, "metrics") and not Path(path, "eval_config.json").is_file():
        raise FileNotFoundError(
            f"There is no evaluation in {path}: it has neither metrics-*.tfrecord nor eval_config.json."
        )
    return _table(COLUMNS[table], _READERS[table](path))


def _table(columns: Mapping[str, str], rows: Iterator[tuple[Any, ...]]) -> Any:
    import pyarrow as pa

    types = {
        _TEXT: pa.string(),
        _NUMBER: pa.float64(),
        _WHOLE: pa.int64(),
        _TRUTH: pa.bool_(),
    }
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [
        pa.array(column, types[kind]) for column, kind in zip(values, columns.values(), strict=True)
    ]
    table = pa.table(dict(zip(columns, arrays, strict=True)))
    if importlib.util.find_spec("pandas") is None:
        return table
    import pandas as pd

    # Classes stay whole numbers, though most rows have none.
    return table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)


def _metrics(path: str) -> Iterator[tuple[Any, ...]]:
    columns_of = _Keys()
    for message in read_messages(path, "metrics"):
        where = _slice(message)
        for entry in message.metric_keys_and_values:
            name, key, more = columns_of(entry.key)
            for each in numbers_of(entry):
                yield (*where, name, *key, *more, *_values(each))
        # TFMA's way to say why a slice has no metrics.
        for value in message.metrics.values():
            for each in value_numbers(value):
                yield (*where, None, *columns_of.nothing, None, False, *_values(each))


def _attributions(path: str) -> Iterator[tuple[Any, ...]]:
    columns_of = _Keys()
    for message in read_messages(path, "attributions"):
        for entry in message.attributions_keys_and_values:
            name, key, _ = columns_of(entry.key)
            for feature in sorted(entry.values):
                for each in value_numbers(entry.values[feature]):
                    yield (*_slice(message), name, feature, *key, *_values(each))


def _plots(path: str) -> Iterator[tuple[Any, ...]]:
    columns_of = _Keys()
    names = list(COLUMNS["plots"])
    own = names[names.index("threshold") :]
    for message in read_messages(path, "plots"):
        where = _slice(message)
        for entry in message.plot_keys_and_values:
            name, key, _ = columns_of(entry.key)
            for plot, point in _points(entry.value):
                yield (*where, plot, name or None, *key, *(point.get(each) for each in own))


def _points(plot: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for matrix in plot.confusion_matrix_at_thresholds.matrices:
        values = {each: getattr(matrix, each) for each in _OF_THRESHOLD}
        yield "confusion matrix", {"threshold": matrix.threshold, **values}
    for bucket in plot.calibration_histogram_buckets.buckets:
        examples = bucket.num_weighted_examples.value
        yield (
            "calibration",
            {
                "lower": bucket.lower_threshold_inclusive,
                "upper": bucket.upper_threshold_exclusive,
                "prediction": _mean(bucket.total_weighted_refined_prediction.value, examples),
                "label": _mean(bucket.total_weighted_label.value, examples),
                "examples": examples,
            },
        )
    for matrix in plot.multi_class_confusion_matrix_at_thresholds.matrices:
        for entry in matrix.entries:
            yield (
                "multi-class confusion matrix",
                {
                    "threshold": matrix.threshold,
                    "actual_class": entry.actual_class_id,
                    "predicted_class": entry.predicted_class_id,
                    "examples": entry.num_weighted_examples,
                },
            )
    for matrix in plot.multi_label_confusion_matrix_at_thresholds.matrices:
        for entry in matrix.entries:
            yield (
                "multi-label confusion matrix",
                {
                    "threshold": matrix.threshold,
                    "actual_class": entry.actual_class_id,
                    "predicted_class": entry.predicted_class_id,
                    **{each: getattr(entry, each) for each in _OF_THRESHOLD[:4]},
                },
            )


def _mean(total: float, weight: float) -> float:
    return total / weight if weight else math.nan


def _thresholds(path: str) -> Iterator[tuple[Any, ...]]:
    from penstock.evaluation.threshold_rows import threshold_rows

    for row in threshold_rows(path):
        yield tuple(row.get(name) for name in COLUMNS["thresholds"])


class _Keys:
    """What messages of keys say, as columns; each key is read once."""

    nothing = (None, None, None, None, None, None)

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = {}

    def __call__(self, message: Any) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
        """Return the name, the columns of `_KEY`, and what only a metric has."""
        identity = message.SerializeToString()
        if identity not in self._known:
            key = MetricKey.from_proto(message)
            sub_key = key.sub_key or SubKey()
            of_class = (sub_key.class_id, sub_key.k, sub_key.top_k)
            self._known[identity] = (
                key.name,
                (key.model_name or None, key.output_name or None, *of_class, key.example_weighted),
                (key.aggregation, key.is_diff),
            )
        return self._known[identity]


def _slice(message: Any) -> tuple[str, str | None]:
    return message_slice_name(message), slice_columns(message)


def _values(number: Any) -> tuple[Any, ...]:
    return (
        number.field or None,
        number.position,
        number.value,
        number.lower,
        number.upper,
        number.standard_error,
        number.note or None,
    )


_READERS: Mapping[str, Callable[[str], Iterator[tuple[Any, ...]]]] = {
    "metrics": _metrics,
    "plots": _plots,
    "thresholds": _thresholds,
    "attributions": _attributions,
}
