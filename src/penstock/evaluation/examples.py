"""Batches of examples with what evaluation needs of them: the serialized records and their columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT
from penstock.io import read_record_batches, read_tfrecords, serialize_examples
from penstock.io.examples.formats import file_format_named

Array = npt.NDArray[Any]


@dataclass
class ExampleBatch:
    """Rows as serialized tf.Examples and as columns of lists; `first_row` counts from 0."""

    serialized: Sequence[bytes]
    columns: pa.RecordBatch
    first_row: int

    def with_features(self, features: dict[str, Array]) -> ExampleBatch:
        """Return the batch with dense features as further columns, in place of equal names."""
        names = [name for name in self.columns.schema.names if name not in features]
        arrays = [self.columns.column(self.columns.schema.get_field_index(name)) for name in names]
        for name, values in features.items():
            if values.ndim <= 2:
                names.append(name)
                arrays.append(_as_lists(values))
        return ExampleBatch(
            self.serialized, pa.RecordBatch.from_arrays(arrays, names), self.first_row
        )

    def weights(self, name: str) -> Array:
        """Return a feature as one weight per row, `[rows]`; a row without one weighs 1, as in TFMA.

        Raises:
            ValueError: If the feature is missing, holds text, or a row has several values.
        """
        column = self._column(name, "example weight")
        lengths = _lengths(column)
        if len(lengths) and lengths.max() > 1:
            row = int(np.argmax(lengths > 1))
            raise ValueError(
                f"The example weight {name!r} has {int(lengths[row])} values in row "
                f"{self.first_row + row}; 1 was expected."
            )
        found = column.flatten().to_numpy(zero_copy_only=False)
        if len(found) and found.dtype.kind not in "biuf":
            raise ValueError(
                f"The example weight {name!r} must be a number. Received: {found[0]!r}"
            )
        weights = np.ones(len(lengths))
        weights[lengths > 0] = found
        return weights

    def dense(self, name: str, what: str) -> Array:
        """Return a feature as an array `[rows]` or `[rows, values]`.

        Args:
            name: The feature.
            what: What it is for, such as "label"; for the error.

        Raises:
            ValueError: If the feature is missing, or its rows have different numbers of values.
        """
        column = self._column(name, what)
        lengths = _lengths(column)
        if (len(lengths) and lengths.min() != lengths.max()) or (len(lengths) and lengths[0] == 0):
            expected = int(np.bincount(lengths.astype(np.int64)).argmax()) or 1
            row = int(np.argmax(lengths != expected))
            raise ValueError(
                f"The {what} {name!r} has {int(lengths[row])} values in row {self.first_row + row}; "
                f"{expected} were expected."
            )
        values: Array = column.flatten().to_numpy(zero_copy_only=False)
        width = int(lengths[0]) if len(lengths) else 1
        return values if width == 1 else values.reshape(-1, width)

    def _column(self, name: str, what: str) -> pa.Array:
        index = self.columns.schema.get_field_index(name)
        if index < 0:
            raise ValueError(
                f"The {what} {name!r} is not among the examples' features: "
                f"{', '.join(sorted(self.columns.schema.names))}"
            )
        return self.columns.column(index)


def _lengths(column: pa.Array) -> npt.NDArray[np.int64]:
    if pa.types.is_null(column.type):
        return np.zeros(len(column), dtype=np.int64)
    lengths: npt.NDArray[np.int64] = (
        column.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    )
    return lengths


def read_example_batches(
    files: Sequence[str],
    *,
    file_format: str = DEFAULT_FILE_FORMAT,
    schema: Any = None,
    columns: Sequence[str] | None = None,
    batch_size: int = 8192,
) -> Iterator[ExampleBatch]:
    """Read tf.Examples, keeping each row's serialized form.

    Args:
        files: Shards, read in order.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        schema: A `schema_pb2.Schema`; it gives the columns their types.
        columns: Which features to decode; with a schema others cost nothing.
        batch_size: Rows a batch, at most.
    """
    first_row = 0
    for serialized, batch in _read(files, file_format, schema, columns, batch_size):
        yield ExampleBatch(serialized, batch, first_row)
        first_row += len(serialized)


def _read(
    files: Sequence[str],
    file_format: str,
    schema: Any,
    columns: Sequence[str] | None,
    batch_size: int,
) -> Iterator[tuple[Sequence[bytes], pa.RecordBatch]]:
    compression = file_format_named(file_format).compression
    if compression is None:
        for batch in read_record_batches(files, file_format=file_format, batch_size=batch_size):
            yield serialize_examples(batch).to_pylist(), batch
        return
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    decoder = ExamplesToRecordBatchDecoder(_narrowed(schema, columns))
    for file in files:
        records = read_tfrecords(file, compression=compression)
        while serialized := list(islice(records, batch_size)):
            try:
                yield serialized, decoder.DecodeBatch(serialized)
            except RuntimeError as error:
                raise ValueError(f"{file}: a record is not a tf.Example: {error}") from error


def _narrowed(schema: Any, columns: Sequence[str] | None) -> bytes | None:
    """Return the serialized schema of the wanted columns, so that no other is decoded."""
    if schema is None:
        return None
    narrow = type(schema)()
    wanted = set(columns) if columns is not None else None
    narrow.feature.extend(f for f in schema.feature if wanted is None or f.name in wanted)
    if not narrow.feature:
        # Something must say how many rows there are.
        narrow.feature.extend(schema.feature[:1])
    result: bytes = narrow.SerializeToString()
    return result


def _as_lists(values: Array) -> pa.LargeListArray:
    if len(values) and isinstance(values[0], np.ndarray) and values.ndim == 1:
        ends = np.cumsum([0, *(len(each) for each in values)])
        return pa.LargeListArray.from_arrays(pa.array(ends), pa.array(np.concatenate(values)))
    width = 1 if values.ndim == 1 else values.shape[1]
    offsets = np.arange(len(values) + 1, dtype=np.int64) * width
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1)))
