"""Transformed features as RecordBatches and as tf.Examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform import impl_helper
from tfx_bsl.coders import example_coder

from penstock.io import serialize_examples


class TransformedExamples:
    """Converts what a `preprocessing_fn` returns for a batch, by the schema of its outputs.

    Args:
        schema: the schema of the transformed features.
    """

    def __init__(self, schema: schema_pb2.Schema) -> None:
        self._converter = impl_helper.make_tensor_to_arrow_converter(schema)
        self._encoder = example_coder.RecordBatchToExamplesEncoder(schema)
        self._ragged = any(
            representation.HasField("ragged_tensor")
            for representation in self._converter.tensor_representations().values()
        )

    def batch(self, tensors: Mapping[str, Any], rows: int) -> pa.RecordBatch:
        """Converts the outputs for one batch into a RecordBatch.

        Args:
            tensors: the outputs by name, eager.
            rows: rows that went in.

        Raises:
            ValueError: if other than `rows` rows come out.
        """
        try:
            batch: pa.RecordBatch = self._converter.convert(tensors)
        except (ValueError, TypeError, pa.ArrowInvalid) as error:
            error.add_note(f"The outputs have these rows: {_row_counts(tensors)}")
            raise
        if batch.num_rows != rows:
            raise ValueError(
                "preprocessing_fn must return one row for each row it gets. "
                f"Received: {rows} rows in, and out: {_row_counts(tensors)}"
            )
        return batch

    def serialize(self, batch: pa.RecordBatch) -> list[bytes]:
        """Serializes a RecordBatch as tf.Examples, with the same bytes each time."""
        if self._ragged:  # takes several features each, which the schema names
            return [_canonical(example) for example in self._encoder.encode(batch)]
        records: list[bytes] = serialize_examples(batch, missing="absent").to_pylist()
        return records


def _row_counts(tensors: Mapping[str, Any]) -> dict[str, int]:
    # A sparse tensor's shape is a tensor of its own; the others know theirs.
    return {
        name: int(value.dense_shape[0] if hasattr(value, "dense_shape") else value.shape[0])
        for name, value in tensors.items()
    }


def _canonical(serialized: bytes) -> bytes:
    from tensorflow.train import Example

    canonical: bytes = Example.FromString(serialized).SerializeToString(deterministic=True)
    return canonical
