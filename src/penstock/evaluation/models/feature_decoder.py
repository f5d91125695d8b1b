"""Single features of serialized tf.Examples as columns, decoded no further than needed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from penstock.serving.serialized_examples import SerializedExamples

if TYPE_CHECKING:
    import tensorflow as tf

_TYPES = {"INT": pa.int64(), "FLOAT": pa.float32(), "BYTES": pa.large_binary()}


class Learned(NamedTuple):
    """What a decoder knows of the features.

    Attributes:
        wanted: Which it looks for.
        types: The types of those that were seen.
    """

    wanted: frozenset[str]
    types: dict[str, pa.DataType]


class FeatureDecoder:
    """Makes columns of lists of the wanted features; several threads may call it.

    TensorFlow's own parser is several times faster than a decoder of whole examples, but must know each
    feature's type. It comes from the schema, or from the first examples that have the feature.

    Args:
        wanted: The features. Where none of the examples has one, there is no column of it.
        schema: A `schema_pb2.Schema`; a feature without values is a column of its type then.
        uses_tensorflow: Whether TensorFlow is there anyway.

    Example:
        >>> decode = FeatureDecoder(["island"], uses_tensorflow=True)
        >>> decode(SerializedExamples([example.SerializeToString()])).column("island")
        [["Dream"]]
    """

    def __init__(
        self, wanted: Collection[str], schema: Any = None, *, uses_tensorflow: bool = False
    ) -> None:
        self._wanted = set(wanted)
        self._schema = schema
        self._uses_tensorflow = uses_tensorflow
        self._types: dict[str, pa.DataType] = {}
        if schema is not None:
            for feature in schema.feature:
                kind = type(feature).DESCRIPTOR.fields_by_name["type"].enum_type
                name = kind.values_by_number[feature.type].name
                if feature.name in self._wanted and name in _TYPES:
                    self._types[feature.name] = _TYPES[name]
            self._wanted &= {feature.name for feature in schema.feature}
        self._parse: Callable[..., Any] | None = None
        self._parsed: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._in_thread = threading.local()

    def learn(self, serialized: SerializedExamples) -> set[str]:
        """Learn the features' types from examples, unless a schema says them; return what there is."""
        if self._schema is not None:
            return {feature.name for feature in self._schema.feature}
        batch = self._decode(serialized, 0)
        self._learn(batch)
        return set(batch.schema.names)

    @property
    def learned(self) -> Learned:
        """What it knows; another decoder of the same features may be given it."""
        return Learned(frozenset(self._wanted), dict(self._types))

    @learned.setter
    def learned(self, learned: Learned) -> None:
        self._wanted, self._types = set(learned.wanted), dict(learned.types)

    @property
    def knows_types(self) -> bool:
        """Whether it knows the type of each feature that it looks for."""
        return self._wanted <= set(self._types)

    def forgo(self, names: Collection[str]) -> None:
        """Do not look for features that come from elsewhere."""
        self._wanted -= set(names)

    def __call__(self, serialized: SerializedExamples, first_row: int = 0) -> pa.RecordBatch:
        """Decode examples.

        Args:
            serialized: The tf.Examples.
            first_row: The number of the first one, for messages.

        Returns:
            A column of lists for each wanted feature; for others too while types are not known.

        Raises:
            ValueError: If a record is not a tf.Example, or does not have the schema's types.
        """
        parse = self._parser() if self._uses_tensorflow else None
        if parse is not None:
            import tensorflow as tf

            try:
                found = parse(serialized.tensor)
            except tf.errors.InvalidArgumentError:
                pass  # a type that changes, which the other decoder takes or explains
            else:
                columns = [_column(found[name], self._types[name]) for name in self._parsed]
                return column_batch(columns, self._parsed, len(serialized))
        batch = self._decode(serialized, first_row)
        self._learn(batch)
        return batch

    def _parser(self) -> Callable[..., Any] | None:
        with self._lock:
            if self._parse is None and self.knows_types:
                self._parsed = tuple(sorted(self._wanted))
                self._parse = _parser({name: self._types[name] for name in self._parsed})
            return self._parse

    def _learn(self, batch: pa.RecordBatch) -> None:
        with self._lock:
            for field in batch.schema:
                if field.name in self._wanted and not pa.types.is_null(field.type):
                    self._types.setdefault(field.name, field.type.value_type)

    def _decode(self, serialized: Sequence[bytes], first_row: int) -> pa.RecordBatch:
        if not hasattr(self._in_thread, "decoder"):
            from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

            self._in_thread.decoder = ExamplesToRecordBatchDecoder(self._narrowed())
        try:
            return self._in_thread.decoder.DecodeBatch(list(serialized))
        except RuntimeError as error:
            raise ValueError(
                f"Among the rows {first_row} to {first_row + len(serialized) - 1} is one that is not a "
                f"tf.Example, or not of the schema: {error}"
            ) from error

    def _narrowed(self) -> bytes | None:
        """Return the serialized schema of the wanted columns, so that no other is decoded."""
        if self._schema is None:
            return None
        narrow = type(self._schema)()
        narrow.feature.extend(f for f in self._schema.feature if f.name in self._wanted)
        if not narrow.feature:
            # Something must say how many rows there are.
            narrow.feature.extend(self._schema.feature[:1])
        result: bytes = narrow.SerializeToString()
        return result


def _parser(types: Mapping[str, pa.DataType]) -> Callable[..., Any]:
    """Return a compiled function from serialized tf.Examples to values and row splits by feature."""
    import tensorflow as tf

    def dtype(kind: pa.DataType) -> Any:
        if pa.types.is_integer(kind):
            return tf.int64
        return tf.float32 if pa.types.is_floating(kind) else tf.string

    features = {
        name: tf.io.RaggedFeature(dtype(kind), row_splits_dtype=tf.int64)
        for name, kind in types.items()
    }

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
    )
    def parse(examples: tf.Tensor) -> Any:
        parsed = tf.io.parse_example(examples, features) if features else {}
        return {name: (ragged.values, ragged.row_splits) for name, ragged in parsed.items()}

    return parse  # type: ignore[no-any-return]


def _column(found: Any, kind: pa.DataType) -> pa.Array:
    values, splits = found
    array = pa.array(values.numpy(), kind)
    return pa.LargeListArray.from_arrays(pa.array(splits.numpy()), array)


def column_batch(columns: list[pa.Array], names: Sequence[str], rows: int) -> pa.RecordBatch:
    """Return columns as a batch of so many rows, even if there is no column."""
    if columns:
        return pa.RecordBatch.from_arrays(columns, list(names))
    nothing = pa.StructArray.from_buffers(pa.struct([]), rows, [None])
    return pa.RecordBatch.from_struct_array(nothing)
