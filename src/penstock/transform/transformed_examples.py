"""Transformed features as RecordBatches and as tf.Examples."""

from __future__ import annotations

import dataclasses
import functools
import math
import threading
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders.example_coder import RecordBatchToExamplesEncoder

from penstock.artifacts.standard import DEFAULT_PAYLOAD_FORMAT
from penstock.io import serialize_examples
from penstock.io.examples.formats import Decode, payload_format_named
from penstock.io.examples.messages import example_class
from penstock.io.tfrecord.framing import frame_records


class TransformedExamples:
    """Converts what a `preprocessing_fn` returns for a batch, by the schema of its outputs.

    Args:
        schema: the schema of the transformed features.
    """

    def __init__(self, schema: schema_pb2.Schema) -> None:
        from tensorflow_transform import impl_helper  # not in a process that serializes

        self._converter = impl_helper.make_tensor_to_arrow_converter(schema)
        ragged = any(
            representation.HasField("ragged_tensor")
            for representation in self._converter.tensor_representations().values()
        )
        self._single = {
            feature.name
            for feature in schema.feature
            if feature.HasField("shape") and math.prod(dim.size for dim in feature.shape.dim) == 1
        }
        self.serializer = TransformedSerializer(schema.SerializeToString() if ragged else None)

    def batch(self, tensors: Mapping[str, Any], rows: int) -> pa.RecordBatch:
        """Convert the outputs for one batch into a RecordBatch.

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

    def columns(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Convert a RecordBatch to the columns that a Parquet file holds.

        Features with one value in every row are plain columns, which are read several times faster than
        lists. A ragged feature of several dimensions takes several columns, as in a tf.Example.
        """
        if self.serializer.schema is not None:
            batch = _decoder(self.serializer.schema)(self.serializer.records(batch))
        names = batch.schema.names
        plain = [
            batch.column(name).flatten() if name in self._single else batch.column(name)
            for name in names
        ]
        return pa.RecordBatch.from_arrays(plain, names)

    @property
    def columns_schema(self) -> pa.Schema:
        """The schema of what `columns` returns."""
        schema = self._converter.arrow_schema()
        nothing = [pa.nulls(0, field.type) for field in schema]
        return self.columns(pa.RecordBatch.from_arrays(nothing, schema=schema)).schema

    def serialize(self, batch: pa.RecordBatch) -> list[bytes]:
        """Serialize a RecordBatch as tf.Examples, with the same bytes each time."""
        return self.serializer.records(batch)


@dataclasses.dataclass(frozen=True)
class TransformedSerializer:
    """Serializes transformed batches, in another process too.

    Args:
        schema: the serialized schema of the transformed features, if some are ragged: such a feature
            takes several features of a tf.Example, which the schema names.
    """

    schema: bytes | None

    def records(self, batch: pa.RecordBatch) -> list[bytes]:
        """Return the rows of a batch as tf.Examples."""
        if self.schema is not None:
            return [
                _canonical(example)
                for example in _encoder(self.schema, threading.get_ident()).encode(batch)
            ]
        records: list[bytes] = serialize_examples(batch, missing="absent").to_pylist()
        return records

    def framed(self, batch: tuple[str, pa.RecordBatch]) -> tuple[str, pa.LargeBinaryArray]:
        """Return the rows of a batch of a split as a TFRecord file holds them."""
        split, rows = batch
        return split, frame_records(self.records(rows))


# Threads need not share one either, see `shards`.
@functools.lru_cache(maxsize=32)
def _encoder(schema: bytes, thread: int) -> RecordBatchToExamplesEncoder:
    return RecordBatchToExamplesEncoder(schema_pb2.Schema.FromString(schema))


@functools.lru_cache(maxsize=8)
def _decoder(schema: bytes) -> Decode:
    payload = payload_format_named(DEFAULT_PAYLOAD_FORMAT)
    return payload.decoder(schema_pb2.Schema.FromString(schema))


def _row_counts(tensors: Mapping[str, Any]) -> dict[str, int]:
    # A sparse tensor's shape is a tensor of its own; the others know theirs.
    return {
        name: int(value.dense_shape[0] if hasattr(value, "dense_shape") else value.shape[0])
        for name, value in tensors.items()
    }


def _canonical(serialized: bytes) -> bytes:
    canonical: bytes = example_class().FromString(serialized).SerializeToString(deterministic=True)
    return canonical
