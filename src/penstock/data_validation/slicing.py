"""Slices of the data: the rows in which features have certain values."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.data_validation.slicing_config import Slice
from penstock.data_validation.statistics.generators.base import column_at, leaves_of
from penstock.io.arrow.arrays import numbers


class FeatureValueSlicer:
    """A slice function for each combination of values of some features.

    The slice of `country` "ch" is called `country_ch`; of two features `country_ch_plan_pro`, in the
    order of the features' names. A row with several values is in several slices.

    Args:
        features: The values by feature; None takes every value in the data.

    Raises:
        ValueError: If no feature is given.
        TypeError: If values are not a list of strings and integers.

    Example:
        >>> slicer = FeatureValueSlicer({"country": ["ch", "fr"]})
        >>> StatsOptions(experimental_slice_functions=[slicer])
    """

    def __init__(self, features: Slice) -> None:
        if not features:
            raise ValueError("A slice needs a feature. Received: features={}")
        self._features = {
            name: None if values is None else _checked(name, values)
            for name, values in sorted(features.items())
        }

    def __call__(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        """Yield name and rows of each slice that has rows.

        Raises:
            ValueError: If a value that a slice would be named by is not UTF-8, or a feature of integers
                is to be sliced by other words.
            TypeError: If a feature has neither strings nor integers.
        """
        slices: dict[str, npt.NDArray[np.int64]] = {"": np.arange(batch.num_rows, dtype=np.int64)}
        for name, wanted in self._features.items():
            by_value = _rows_by_text(name, wanted, column_at(batch, (name,)))
            slices = {
                f"{prefix}_{name}_{value}" if prefix else f"{name}_{value}": np.intersect1d(
                    rows, own
                )
                for prefix, rows in slices.items()
                for value, own in by_value.items()
            }
        for key, rows in sorted(slices.items()):
            if len(rows):
                yield key, batch.take(numbers(rows))


def get_feature_value_slicer(features: Slice) -> FeatureValueSlicer:
    """Return a slice function for the values of features, under TFDV's name."""
    return FeatureValueSlicer(features)


def _checked(name: str, values: Sequence[str | int]) -> list[str | int]:
    listed = isinstance(values, Iterable) and not isinstance(values, str | bytes)
    kept = list(values) if listed else []
    if not listed or not all(isinstance(value, str | bytes | int) for value in kept):
        raise TypeError(
            "Feature values must be specified in an iterable of strings and integers. Received: "
            f"{name}={values!r}"
        )
    return kept


def _rows_by_text(
    name: str, wanted: Sequence[str | int] | None, column: pa.Array | None
) -> dict[str, npt.NDArray[np.int64]]:
    """Return the rows that have a value, by the value as text."""
    if column is None:
        return {}
    values, rows = leaves_of(column)
    if pa.types.is_floating(values.type) or pa.types.is_struct(values.type):
        raise TypeError(
            f"Slices need a feature of strings or integers. Received: feature {name!r} of type "
            f"{values.type}"
        )
    keep = None if wanted is None else _as_values(name, wanted, values.type)
    owners: dict[str, list[int]] = {}
    for value, row in zip(values.to_pylist(), rows.tolist(), strict=True):
        if keep is None or _as_bytes(value) in keep:
            owners.setdefault(_as_text(name, value), []).append(row)
    return {value: np.unique(np.array(own, np.int64)) for value, own in owners.items()}


def _as_values(name: str, wanted: Sequence[str | int], kind: pa.DataType) -> set[bytes]:
    if not pa.types.is_integer(kind):
        return {_as_bytes(value) for value in wanted}
    try:
        return {_as_bytes(int(value)) for value in wanted}
    except ValueError as error:
        raise ValueError(
            "The feature to slice on has integer values but the provided slice values are not valid "
            f"integers. Received: {name}={list(wanted)}"
        ) from error


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _as_text(name: str, value: Any) -> str:
    try:
        return _as_bytes(value).decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"The name of a slice must be valid UTF-8. Received: feature {name!r} with the value "
            f"{value!r}. List the values to slice by."
        ) from error
