"""Raw features: from RecordBatches to the tensors that a `preprocessing_fn` receives."""

from __future__ import annotations

import contextlib
import linecache
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx_bsl.tfxio import tensor_representation_util
from tfx_bsl.tfxio.tensor_adapter import TensorAdapter, TensorAdapterConfig

from penstock.artifacts.standard import DEFAULT_PAYLOAD_FORMAT
from penstock.io.arrow.arrays import to_numpy
from penstock.io.examples.formats import payload_format_named
from penstock.transform.optional_features import is_users_file


class RawFeatures:
    """The tensors that are made from batches of raw examples, as defined by a schema.

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
        self, schema: schema_pb2.Schema, payload_format: str = DEFAULT_PAYLOAD_FORMAT
    ) -> None:
        if not schema.feature:
            raise ValueError("Transform needs a schema with features. Received an empty schema.")
        self.schema = schema
        self.payload_format = payload_format
        representations = tensor_representation_util.InferTensorRepresentationsFromMixedSchema(
            schema
        )
        self.arrow_schema = payload_format_named(payload_format).arrow_schema(schema)
        self._values_a_row = {
            dense.column_name: math.prod(dim.size for dim in dense.shape.dim)
            for dense in (each.dense_tensor for each in representations.values())
            if dense.column_name and not dense.HasField("default_value")
        }
        self.tensor_adapter_config = TensorAdapterConfig(self.arrow_schema, representations)
        self._adapter = TensorAdapter(self.tensor_adapter_config)

    @property
    def type_specs(self) -> Mapping[str, Any]:
        """`tf.TypeSpec` by feature name; the batch dimension is unknown."""
        specs: Mapping[str, Any] = self._adapter.OriginalTypeSpecs()
        return specs

    def conform(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Convert a batch to the column order and the types of the schema.

        Columns that the schema does not name are dropped, missing ones are filled with nulls.

        Args:
            batch: examples as lists, as `penstock.io.read_record_batches` yields them.

        Raises:
            ValueError: if a column has a type that the schema's type cannot hold, or a row has more or
                fewer values than the feature's shape.
        """
        if not batch.schema.equals(self.arrow_schema):
            batch = self._with_columns_of_schema(batch)
        for name, values in self._values_a_row.items():
            _check_lengths(name, batch.column(name), values)
        return batch

    def _with_columns_of_schema(self, batch: pa.RecordBatch) -> pa.RecordBatch:
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
                        "differs from the schema, or correct the schema."
                    ) from error
            columns.append(column)
        return pa.RecordBatch.from_arrays(columns, schema=self.arrow_schema)

    def tensors(self, batch: pa.RecordBatch) -> dict[str, Any]:
        """Eager tensors of one batch, by feature name."""
        tensors: dict[str, Any] = self._adapter.ToBatchTensors(
            self.conform(batch), produce_eager_tensors=True
        )
        return tensors


def _check_lengths(name: str, column: pa.Array, values: int) -> None:
    """Return the tensors would be made of whatever values there are, one row's in another's place."""
    lengths = to_numpy(pc.fill_null(pc.list_value_length(column), 0))
    (wrong,) = np.nonzero(lengths != values)
    if len(wrong):
        raise ValueError(
            f"Feature {name!r} has {lengths[wrong[0]]} values in a row (the {wrong[0] + 1}. of its "
            f"batch; {len(wrong)} such rows of {len(lengths)}), but the schema's shape requires "
            f"{values} in every row. Run ExampleValidator to see where the data differs from the "
            "schema, or remove the shape from the schema: the feature is then a tf.SparseTensor."
        )


def describe_features(tensors: Mapping[str, Any]) -> str:
    """Return one line per feature with its name, kind, dtype and shape, for error messages."""
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


@contextlib.contextmanager
def explained_failures(
    features: RawFeatures, rows: int, graph: tf.Graph | None = None
) -> Iterator[None]:
    """Add what the graph was given, and the user's line, to an error that it raises while it runs.

    Args:
        features: What the graph reads.
        rows: The size of the batch.
        graph: The graph as `preprocessing_fn` made it, in which nodes know their lines; by default what
            the error says of them.
    """
    try:
        yield
    except tf.errors.OpError as error:
        error.add_note(
            f"{_users_line(error, graph)}It happened in a batch of {rows} rows. preprocessing_fn received "
            f"these features:\n{describe_features(features.type_specs)}"
        )
        raise


def _users_line(error: tf.errors.OpError, graph: tf.Graph | None) -> str:
    """Return the innermost line of the user's code that made the node that failed; empty if not known."""
    frames = re.findall(r'^  File "([^"]+)", line (\d+), in (.+)$', error.message, re.MULTILINE)
    node = re.search(r"\{\{node ([^}]+)\}\}", error.message)
    if graph is not None and node is not None:
        with contextlib.suppress(KeyError):
            made = graph.get_operation_by_name(node[1]).traceback
            frames = [(each.filename, each.lineno, each.name) for each in made]
    users = [each for each in frames if is_users_file(each[0])]
    if not users:
        return ""
    file, number, name = users[-1]
    source = linecache.getline(file, int(number)).strip()
    return f'  File "{file}", line {number}, in {name}\n' + (f"    {source}\n" if source else "")
