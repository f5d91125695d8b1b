"""Slices of the data: the rows in which features have certain values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.data_validation.statistics.generators.base import column_at, leaves_of
from penstock.io.arrow_arrays import numbers

_FeatureValues = Mapping[str, Sequence[str | int] | None]


class FeatureValueSlicer:
    """A slice function for each combination of values of some features.

    The slice of `country` "ch" is called `country_ch`; of two features `country_ch_plan_pro`, in the
    order of the features' names. A row with several values is in several slices.

    Args:
        features: The values by feature; None takes each value that there is.

    Raises:
        ValueError: If there is no feature.

    Example:
        >>> slicer = FeatureValueSlicer({"country": ["ch", "fr"]})
        >>> StatsOptions(experimental_slice_functions=[slicer])
    """

    def __init__(self, features: _FeatureValues) -> None:
        if not features:
            raise ValueError("A slice needs a feature. Received: features={}")
        self._features = {
            name: None if values is None else {_text(value) for value in values}
            for name, values in sorted(features.items())
        }

    def __call__(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yields name and rows of each slice that has rows."""
        slices: dict[str, npt.NDArray[np.int64]] = {"": np.arange(batch.num_rows, dtype=np.int64)}
        for name, wanted in self._features.items():
            by_value = _rows_by_text(column_at(batch, (name,)))
            narrower = {}
            for prefix, rows in slices.items():
                for value, own in by_value.items():
                    if wanted is None or value in wanted:
                        key = f"{prefix}_{name}_{value}" if prefix else f"{name}_{value}"
                        narrower[key] = np.intersect1d(rows, own)
            slices = narrower
        for key, rows in sorted(slices.items()):
            if len(rows):
                yield key, batch.take(numbers(rows))


def get_feature_value_slicer(features: _FeatureValues) -> FeatureValueSlicer:
    """Returns a slice function for the values of features, under TFDV's name."""
    return FeatureValueSlicer(features)


def _rows_by_text(column: pa.Array | None) -> dict[str, npt.NDArray[np.int64]]:
    if column is None:
        return {}
    values, rows = leaves_of(column)
    if pa.types.is_floating(values.type) or pa.types.is_struct(values.type):
        raise TypeError(
            f"Slices are made by strings and integers. Received: a feature of type {values.type}"
        )
    owners: dict[str, list[int]] = {}
    for value, row in zip(values.to_pylist(), rows.tolist(), strict=True):
        owners.setdefault(_text(value), []).append(row)
    return {value: np.unique(np.array(own, np.int64)) for value, own in owners.items()}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
