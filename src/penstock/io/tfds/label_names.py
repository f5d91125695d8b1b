"""Rows whose class labels are names instead of numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import byte_strings, numbers, to_numpy
from penstock.io.examples.rows import Rows, rows_of_batch


def with_label_names(rows: Iterable[Rows], names: Mapping[str, Sequence[str]]) -> Iterator[Rows]:
    """Replace class labels by their names; -1, which means that there is no label, by an empty text.

    Args:
        rows: Rows of int64 labels.
        names: The names of the classes of each feature.

    Raises:
        ValueError: If a label has no name.
    """
    for some in rows:
        columns = dict(zip(some.batch.schema.names, some.batch.columns, strict=True))
        for feature, classes in names.items():
            if feature in columns and not pa.types.is_null(columns[feature].type):
                columns[feature] = _named(feature, columns[feature], classes)
        yield rows_of_batch(pa.RecordBatch.from_pydict(columns), missing="absent")


def _named(feature: str, column: pa.Array, classes: Sequence[str]) -> pa.Array:
    lists = pa.concat_arrays([column.cast(pa.large_list(pa.int64()))])
    labels = to_numpy(lists.flatten())
    if len(labels) and not -1 <= labels.min() <= labels.max() < len(classes):
        raise ValueError(
            f"Feature {feature!r} has the label {labels.max()}, but there are {len(classes)} names."
        )
    texts = byte_strings([b"", *(name.encode() for name in classes)]).take(numbers(labels + 1))
    ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(lists), 0)).cast(pa.int64())
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), ends])
    mask = lists.is_null() if lists.null_count else None
    return pa.LargeListArray.from_arrays(offsets, texts, mask=mask)
