"""Raw features: from RecordBatches to the tensors that a `preprocessing_fn` receives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder
from tfx_bsl.coders.sequence_example_coder import SequenceExamplesToRecordBatchDecoder
from tfx_bsl.tfxio import tensor_representation_util
from tfx_bsl.tfxio.tensor_adapter import TensorAdapter, TensorAdapterConfig

from penstock.io.examples_reader import RAW_RECORD_COLUMN

SEQUENCE_COLUMN = "##SEQUENCE##"


class RawFeatures:
    """What a schema says about the tensors that are made from batches of raw examples.

    A feature with a fixed shape becomes a dense tensor, one without becomes a `tf.SparseTensor`, and
    what `tensor_representation_group` says (ragged, sparse) wins, as in TFX.

    Args:
        schema: schema of the raw examples.
        payload_format: what a record is, see `penstock.io.read_record_batches`. Sequence features of a
            tf.SequenceExample are ragged and named `##SEQUENCE##.<feature>`, unless
            `tensor_representation_group` says otherwise; a raw record is the feature `raw_record`.

    Raises:
        ValueError: if the schema has no features, or not the one of raw records.

    Example:
        features = RawFeatures(schema)
        tensors = features.tensors(batch)   # {"culmen_length_mm": <tf.Tensor shape=(334, 1)>, ...}
    """

    def __init__(
        self, schema: schema_pb2.Schema, payload_format: str = "FORMAT_TF_EXAMPLE"
    ) -> None:
        if not schema.feature:
            raise ValueError("Transform needs a schema with features. Received an empty schema.")
        self.schema = schema
        self.payload_format = payload_format
        representations = tensor_representation_util.InferTensorRepresentationsFromMixedSchema(
            schema
        )
        self.arrow_schema = _arrow_schema(schema, payload_format)
        self.tensor_adapter_config = TensorAdapterConfig(self.arrow_schema, representations)
        self._adapter = TensorAdapter(self.tensor_adapter_config)

    @property
    def type_specs(self) -> Mapping[str, Any]:
        """`tf.TypeSpec` by feature name; the batch dimension is unknown."""
        specs: Mapping[str, Any] = self._adapter.OriginalTypeSpecs()
        return specs

    def conform(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Brings a batch into the column order and the types of the schema.

        Columns that the schema does not name are dropped, missing ones are filled with nulls.

        Args:
            batch: examples as lists, as `penstock.io.read_record_batches` yields them.

        Raises:
            ValueError: if a column has a type that the schema's type cannot hold.
        """
        if batch.schema.equals(self.arrow_schema):
            return batch
        columns = []
        for field in self.arrow_schema:
            index = batch.schema.get_field_index(field.name)
            if index < 0:
                columns.append(pa.nulls(batch.num_rows, field.type))
                continue
            column = batch.column(index)
            if column.type != field.type:
                try:
                    column = column.cast(field.type)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                    raise ValueError(
                        f"Feature {field.name!r} holds {column.type} in the examples, but the "
                        f"schema says {field.type}. Run ExampleValidator to see where the data "
                        "departs from the schema, or correct the schema."
                    ) from error
            columns.append(column)
        return pa.RecordBatch.from_arrays(columns, schema=self.arrow_schema)

    def tensors(self, batch: pa.RecordBatch) -> dict[str, Any]:
        """Eager tensors of one batch, by feature name."""
        tensors: dict[str, Any] = self._adapter.ToBatchTensors(
            self.conform(batch), produce_eager_tensors=True
        )
        return tensors


def _arrow_schema(schema: schema_pb2.Schema, payload_format: str) -> pa.Schema:
    serialized = schema.SerializeToString()
    if payload_format == "FORMAT_TF_SEQUENCE_EXAMPLE":
        decoder = SequenceExamplesToRecordBatchDecoder(SEQUENCE_COLUMN, serialized)
        return decoder.ArrowSchema()
    if payload_format == "FORMAT_PROTO" and [f.name for f in schema.feature] != [RAW_RECORD_COLUMN]:
        raise ValueError(
            "The examples hold raw records (FORMAT_PROTO), which Transform hands to preprocessing_fn as "
            f"one feature {RAW_RECORD_COLUMN!r} of type BYTES, e.g. for tf.io.decode_proto. The "
            "schema must have that feature and no other. "
            f"It has: {', '.join(feature.name for feature in schema.feature)}"
        )
    return ExamplesToRecordBatchDecoder(serialized).ArrowSchema()


def describe_features(tensors: Mapping[str, Any]) -> str:
    """One line a feature: name, kind, dtype and shape, for error messages."""
    lines = []
    for name in sorted(tensors):
        value = tensors[name]
        kind = type(value).__name__.removesuffix("Spec")
        if kind in ("SymbolicTensor", "EagerTensor"):
            kind = "Tensor"
        dtype = getattr(value, "dtype", None)
        shape = getattr(value, "shape", None)
        lines.append(f"  {name}: {kind} {getattr(dtype, 'name', dtype)} {shape}")
    return "\n".join(lines)
