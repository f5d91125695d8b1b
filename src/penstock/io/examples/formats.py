"""The formats of Examples: one table for files, one for records.

A new payload format is a class here and an entry of `PAYLOAD_FORMATS`. Importing this module
imports neither pyarrow nor tfx-bsl, so that components can check their parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT, DEFAULT_PAYLOAD_FORMAT

if TYPE_CHECKING:
    import pyarrow as pa
    from tensorflow_metadata.proto.v0 import schema_pb2

MissingAs = Literal["empty", "kindless", "absent"]
"""What a null cell becomes in a tf.Example: see `penstock.io.serialize_examples`."""

Decode = Callable[[list[bytes]], "pa.RecordBatch"]

_Format = TypeVar("_Format")

RAW_RECORD_COLUMN = "raw_record"
SEQUENCE_COLUMN = "##SEQUENCE##"


@dataclass(frozen=True)
class FileFormat:
    """How the shards of a split are stored.

    Attributes:
        name: The `file_format` property of an Examples artifact.
        extension: The ending of a shard's name.
        compression: Of TFRecords, as TensorFlow spells it; None for Parquet.
    """

    name: str
    extension: str
    compression: Literal["", "GZIP"] | None

    @property
    def holds_records(self) -> bool:
        """Whether the files hold serialized records (TFRecord), and not columns (Parquet)."""
        return self.compression is not None


FILE_FORMATS: Mapping[str, FileFormat] = {
    each.name: each
    for each in (
        FileFormat(DEFAULT_FILE_FORMAT, ".gz", "GZIP"),
        FileFormat("tfrecords", "", ""),
        FileFormat("parquet", ".parquet", None),
    )
}


class PayloadFormat:
    """What a record of Examples is.

    Attributes:
        name: The `payload_format` property of an Examples artifact.
        has_features: Whether a record has named features, by which rows can be partitioned.
    """

    name: ClassVar[str]
    has_features: ClassVar[bool] = True

    def decoder(self, schema: schema_pb2.Schema | None) -> Decode:
        """Return a decoder from serialized records to a RecordBatch.

        Args:
            schema: The features to decode, with their types; without it they are inferred.
        """
        raise NotImplementedError(f"{self.name} does not define how records are decoded (decoder)")

    def arrow_schema(self, schema: schema_pb2.Schema) -> pa.Schema:
        """Return the columns of the batches from `decoder(schema)`.

        Raises:
            ValueError: If the schema does not fit the format.
        """
        raise NotImplementedError(f"{self.name} does not define its columns (arrow_schema)")

    def canonical(self, records: Sequence[bytes], batch: pa.RecordBatch) -> list[bytes]:
        """Return records in the form whose digest decides a row's split (see `HashSplitter`).

        Args:
            records: Serialized records.
            batch: The same records, decoded.
        """
        raise NotImplementedError(f"{self.name} does not define its canonical form (canonical)")

    def serialize(self, batch: pa.RecordBatch, missing: MissingAs) -> list[bytes]:
        """Return the rows of a batch as serialized records.

        Raises:
            ValueError: If rows of this format cannot be made from columns alone.
        """
        raise NotImplementedError(
            f"{self.name} does not define how rows are serialized (serialize)"
        )


class TfExamplePayload(PayloadFormat):
    """A record is a tf.Example."""

    name = DEFAULT_PAYLOAD_FORMAT

    def decoder(self, schema: schema_pb2.Schema | None) -> Decode:
        """Return tfx-bsl's decoder: one list of values per row and feature."""
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

        serialized = None if schema is None else schema.SerializeToString()
        decode: Decode = ExamplesToRecordBatchDecoder(serialized or None).DecodeBatch
        return decode

    def arrow_schema(self, schema: schema_pb2.Schema) -> pa.Schema:
        """Return a column for each feature."""
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

        return ExamplesToRecordBatchDecoder(schema.SerializeToString()).ArrowSchema()

    def canonical(self, records: Sequence[bytes], batch: pa.RecordBatch) -> list[bytes]:
        """Return protobuf's deterministic serialization.

        Rows are serialized again from their columns, a batch at a time. Where that changes a
        record's length (a feature without a kind, unpacked numbers, a repeated key) the record is
        parsed on its own.
        """
        from penstock.io.examples.messages import example_class

        parse = example_class().FromString
        again = self.serialize(batch, "absent")
        return [
            candidate
            if len(candidate) == len(record)
            else parse(record).SerializeToString(deterministic=True)
            for record, candidate in zip(records, again, strict=True)
        ]

    def serialize(self, batch: pa.RecordBatch, missing: MissingAs) -> list[bytes]:
        """Return tf.Examples, features sorted by name."""
        from penstock.io.examples.serialization import serialize_examples

        records: list[bytes] = serialize_examples(batch, missing=missing).to_pylist()
        return records


class TfSequenceExamplePayload(PayloadFormat):
    """A record is a tf.SequenceExample; its sequences come as a struct column `##SEQUENCE##`."""

    name = "FORMAT_TF_SEQUENCE_EXAMPLE"

    def decoder(self, schema: schema_pb2.Schema | None) -> Decode:
        """Return tfx-bsl's decoder."""
        decode: Decode = _sequence_decoder(schema).DecodeBatch
        return decode

    def arrow_schema(self, schema: schema_pb2.Schema) -> pa.Schema:
        """Return a column for each context feature, and one for all sequences."""
        return _sequence_decoder(schema).ArrowSchema()

    def canonical(self, records: Sequence[bytes], batch: pa.RecordBatch) -> list[bytes]:
        """Return protobuf's deterministic serialization."""
        from penstock.io.examples.messages import sequence_example_class

        parse = sequence_example_class().FromString
        return [parse(record).SerializeToString(deterministic=True) for record in records]

    def serialize(self, batch: pa.RecordBatch, missing: MissingAs) -> list[bytes]:
        """Refuse: an absent sequence and an empty one look alike in columns."""
        raise ValueError(
            "tf.SequenceExamples cannot be made from columns. Write the rows as they were read "
            "instead (ExamplesWriter.write_rows), which keeps their records."
        )


class RawRecordPayload(PayloadFormat):
    """A record is bytes that only the user's code understands; one column, `raw_record`."""

    name = "FORMAT_PROTO"
    has_features = False

    def decoder(self, schema: schema_pb2.Schema | None) -> Decode:
        """Return a function that makes the single column from the records."""
        return _raw_batch

    def arrow_schema(self, schema: schema_pb2.Schema) -> pa.Schema:
        """Return the single column, which must be the schema's only feature."""
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

        if [feature.name for feature in schema.feature] != [RAW_RECORD_COLUMN]:
            raise ValueError(
                "The examples hold raw records (FORMAT_PROTO), which Transform passes to "
                f"preprocessing_fn as one feature {RAW_RECORD_COLUMN!r} of type BYTES, e.g. for "
                "tf.io.decode_proto. The schema must have that feature and no other. "
                f"It has: {', '.join(feature.name for feature in schema.feature)}"
            )
        return ExamplesToRecordBatchDecoder(schema.SerializeToString()).ArrowSchema()

    def canonical(self, records: Sequence[bytes], batch: pa.RecordBatch) -> list[bytes]:
        """Return the records unchanged."""
        return list(records)

    def serialize(self, batch: pa.RecordBatch, missing: MissingAs) -> list[bytes]:
        """Return the values of the single column, one per row."""
        names = batch.schema.names
        if names != [RAW_RECORD_COLUMN] or any(
            value is None or len(value) != 1 for value in batch.column(0).to_pylist()
        ):
            raise ValueError(
                f"Raw records (FORMAT_PROTO) are one column {RAW_RECORD_COLUMN!r} with one value in "
                f"every row. Received columns: {', '.join(names) or 'none'}"
            )
        records: list[bytes] = batch.column(0).flatten().to_pylist()
        return records


def _sequence_decoder(schema: schema_pb2.Schema | None) -> Any:
    from tfx_bsl.coders.sequence_example_coder import SequenceExamplesToRecordBatchDecoder

    serialized = b"" if schema is None else schema.SerializeToString()
    return SequenceExamplesToRecordBatchDecoder(SEQUENCE_COLUMN, serialized)


def _raw_batch(records: list[bytes]) -> pa.RecordBatch:
    import pyarrow as pa

    from penstock.io.arrow.arrays import byte_strings, one_value_lists

    return pa.RecordBatch.from_arrays([one_value_lists(byte_strings(records))], [RAW_RECORD_COLUMN])


PAYLOAD_FORMATS: Mapping[str, PayloadFormat] = {
    each.name: each for each in (TfExamplePayload(), TfSequenceExamplePayload(), RawRecordPayload())
}


def file_format_named(name: str, argument: str = "file_format") -> FileFormat:
    """Return a file format by its name.

    Args:
        name: "tfrecords_gzip", "tfrecords" or "parquet".
        argument: Name of the argument, for the message.

    Raises:
        ValueError: If there is none of that name.
    """
    return _named(FILE_FORMATS, name, argument)


def payload_format_named(name: str, argument: str = "payload_format") -> PayloadFormat:
    """Return a payload format by its name.

    Raises:
        ValueError: If there is none of that name.

    Example:
        >>> payload_format_named("FORMAT_PROTO").has_features
        False
    """
    return _named(PAYLOAD_FORMATS, name, argument)


def _named(known: Mapping[str, _Format], name: str, argument: str) -> _Format:
    if name not in known:
        raise ValueError(f"{argument} must be one of {list(known)}. Received: {argument}={name!r}")
    return known[name]
