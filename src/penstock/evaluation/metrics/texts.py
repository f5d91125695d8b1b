"""Metrics of texts and other values that are compared as they are, and means of features.

Definitions follow TensorFlow Model Analysis 0.52: exact_match.py and stats.py of
tensorflow_model_analysis/metrics.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.evaluation.inputs import MetricInputs
from penstock.evaluation.kernels.sums import FloatArray, RowSums
from penstock.evaluation.metrics.means import mean
from penstock.evaluation.metrics.registry import Computation, metric

Array = npt.NDArray[Any]


class RawRowSums(RowSums):
    """Sums of a function's terms of a row, of predictions that may be text. Params: the function."""

    NEEDS_NUMBERS = False


@dataclass(frozen=True)
class _Matches:
    as_json: bool

    def __call__(self, inputs: MetricInputs, weights: Array) -> FloatArray:
        labels, predictions = inputs.labels, inputs.predictions
        if labels.shape != predictions.shape:
            raise ValueError(
                "ExactMatch needs as many labels as predictions in a row. Received: labels of shape "
                f"{list(labels.shape)} and predictions of shape {list(predictions.shape)}"
            )
        if self.as_json:
            labels, predictions = _parsed(labels), _parsed(predictions)
        equal = np.asarray(labels == predictions, dtype=bool).all(axis=1)
        return np.column_stack([equal * weights, weights])


def _parsed(values: Array) -> Array:
    found = np.empty(values.shape, dtype=object)
    for place, text in np.ndenumerate(values):
        try:
            found[place] = json.loads(text)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"ExactMatch compares JSON, but {text!r} is none: {error}. Leave out convert_to."
            ) from error
    return found


@metric("ExactMatch")
def exact_match(convert_to: str | None = None) -> Computation:
    """Return the share of rows whose predictions all equal their labels."""
    return Computation((RawRowSums, _Matches(convert_to == "json")), _mean)


def _mean(state: FloatArray) -> float:
    return mean(state) if len(state) else float("nan")


@dataclass(frozen=True)
class _Feature:
    path: tuple[str, ...]
    weight_path: tuple[str, ...] | None

    def __call__(self, inputs: MetricInputs, weights: Array) -> FloatArray:
        values = _at(inputs, self.path)
        factors = (
            np.ones(len(values)) if self.weight_path is None else _at(inputs, self.weight_path)
        )
        return np.column_stack([values * factors, factors])


def _at(inputs: MetricInputs, path: tuple[str, ...]) -> FloatArray:
    """Return the one number that each row has at a path of TFMA's extracts."""
    kind, *names = path
    found: Array
    if kind in ("features", "transformed_features") and len(names) == 1:
        assert inputs.source is not None
        lists = inputs.source.feature(names[0])
        if any(len(each) != 1 for each in lists):
            raise ValueError(
                f"Mean is of one number a row; the feature {names[0]!r} has none or several."
            )
        found = np.concatenate(lists)
    elif path in (("labels",), ("predictions",)):
        found = inputs.labels if kind == "labels" else inputs.predictions
        if found.shape[1] != 1:
            raise ValueError(f"Mean is of one number a row; {kind} has {found.shape[1]}.")
        found = found[:, 0]
    elif path == ("example_weights",):
        found = inputs.row_weights(True)
    else:
        raise ValueError(
            'Mean\'s paths are ["features", NAME], ["transformed_features", NAME], ["labels"], '
            f'["predictions"] or ["example_weights"]. Received: {list(path)}'
        )
    if found.dtype.kind not in "biuf":
        raise ValueError(f"Mean is of numbers. Received at {list(path)}: {found[0]!r}")
    return np.asarray(found, dtype=np.float64)


@metric("Mean")
def feature_mean(
    feature_key_path: list[str], example_weights_key_path: list[str] | None = None
) -> Computation:
    """Return the mean of a feature."""
    weight_path = tuple(example_weights_key_path) if example_weights_key_path else None
    function = _Feature(tuple(feature_key_path), weight_path)
    return Computation((RawRowSums, function), _mean, labels="none")
