"""Rows of raw features as the arrays that a signature takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.io import serialize_examples
from penstock.io.arrow.arrays import valid_rows
from penstock.serving.feature_values import feature_lists
from penstock.serving.rows import Rows
from penstock.serving.signature import FeatureInput, Signature
from penstock.spelling import closest


class RowArguments:
    """Makes the arguments of a signature of rows.

    Args:
        signature: The signature, of serialized tf.Examples or of tensors.

    Example:
        >>> given = rows_of([{"miles": 2.5}])
        >>> list(RowArguments(signature).of(given, 4096))
        [{'miles': array([[2.5]], dtype=float32)}]
    """

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._features = signature.features

    def unread(self, given: Rows) -> list[str]:
        """Return the columns that the model does not read."""
        if self._features is None:
            return []
        return [name for name in given.columns if name not in self._features]

    def of(self, given: Rows, at_once: int) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Yield the arguments of so many rows at a time.

        A signature for a fixed number of rows gets so many: the last row is repeated.

        Args:
            given: The rows.
            at_once: The most rows.

        Raises:
            ValueError: If a feature that the model needs is missing, or a value has another type or
                size than the model reads; the message names the row and the column.
        """
        names = given.columns if self._features is None else self._features
        columns = {
            name: feature_lists(name, given.columns[name], (self._features or {}).get(name))
            for name in names
            if name in given.columns
        }
        self._check_required(columns, given)
        size = self._signature.batch_size
        for start in range(0, given.count, size or at_once):
            rows = min(size or at_once, given.count - start)
            part = {name: column.slice(start, rows) for name, column in columns.items()}
            if size and rows < size:
                places = [min(place, rows - 1) for place in range(size)]
                part = {name: column.take(places) for name, column in part.items()}
                rows = size
            if self._signature.takes_examples:
                (name,) = self._signature.inputs
                yield {name: _serialized(part, rows)}
            else:
                yield {
                    name: _tensor(name, part[name], feature)
                    for name, feature in self._signature.inputs.items()
                }

    def _check_required(self, columns: Mapping[str, Any], given: Rows) -> None:
        missing: dict[str, int] = {}
        for name, feature in (self._features or {}).items():
            if not feature.required or not given.count:
                continue
            if name not in columns:
                missing[name] = 0
            elif columns[name].null_count:
                missing[name] = int(valid_rows(columns[name]).argmin())
        if not missing:
            return
        row = min(missing.values())
        lacking = [name for name, first in missing.items() if first == row]
        close = closest(lacking[0], [name for name in given.columns if name not in columns])
        hint = f" The row has {close!r}." if close else ""
        raise ValueError(
            f"Row {row} has no value of {', '.join(map(repr, lacking))}, which the model needs.{hint} "
            f"It reads: {self._reads()}"
        )

    def _reads(self) -> str:
        features = sorted((self._features or {}).items())
        return ", ".join(
            f"{name} ({feature.dtype}{'' if feature.required else ', optional'})"
            for name, feature in features
        )


def _serialized(columns: Mapping[str, Any], count: int) -> npt.NDArray[Any]:
    """Return rows as serialized tf.Examples."""
    examples = np.full(count, b"", dtype=object)
    if columns:
        batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
        examples[:] = serialize_examples(batch, missing="absent").to_numpy(zero_copy_only=False)
    return examples


def _tensor(name: str, column: Any, feature: FeatureInput) -> npt.NDArray[Any]:
    """Return a column as the array of an input."""
    shape = feature.shape
    if shape is None:
        # Of unknown rank: rows of one value are a vector.
        shape = () if len(column.flatten()) == len(column) else (-1,)
    values = column.flatten().to_numpy(zero_copy_only=False)
    sizes: tuple[int, ...] = (len(column), *shape)
    if shape.count(-1) > 1:
        raise ValueError(
            f"The model reads {name!r} as a tensor of the shape {list(shape)}, several of whose "
            "sizes may vary; rows do not define them. Export the model with at most one size that "
            "varies."
        )
    if -1 in shape:
        lengths = {len(each) for each in column.to_pylist()}
        if len(lengths) > 1:
            raise ValueError(
                f"The model reads {name!r} as a tensor, so all rows need the same number of "
                f"values. Received: {min(lengths)} to {max(lengths)} values"
            )
    if feature.dtype != "string":
        values = np.asarray(values).astype(_dtype(feature.dtype))
    return np.asarray(values).reshape(sizes)


def _dtype(name: str) -> Any:
    if name == "bfloat16":
        import ml_dtypes

        return ml_dtypes.bfloat16
    return np.dtype(name)
