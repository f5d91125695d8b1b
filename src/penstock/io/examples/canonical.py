"""Bringing serialized records into the canonical form that TFX hashes."""

from collections.abc import Sequence

import pyarrow as pa

from penstock.io.examples.messages import example_class, sequence_example_class
from penstock.io.examples.serialization import serialize_examples


def canonical_records(
    records: Sequence[bytes], batch: pa.RecordBatch, payload_format: str
) -> list[bytes]:
    """Returns records in protobuf's deterministic serialization.

    tf.Examples are serialized again from their columns, a batch at a time. Where that changes a
    record's length (a feature without a kind, unpacked numbers, a key that comes twice), and for
    tf.SequenceExamples, the record is parsed by itself.

    Args:
        records: Serialized records.
        batch: The same records, decoded.
        payload_format: What a record is; "FORMAT_PROTO" records are taken as they are.
    """
    if payload_format == "FORMAT_PROTO":
        return list(records)
    if payload_format == "FORMAT_TF_SEQUENCE_EXAMPLE":
        parse = sequence_example_class().FromString
        return [parse(record).SerializeToString(deterministic=True) for record in records]
    parse = example_class().FromString
    again = serialize_examples(batch, missing="absent").to_pylist()
    return [
        candidate
        if len(candidate) == len(record)
        else parse(record).SerializeToString(deterministic=True)
        for record, candidate in zip(records, again, strict=True)
    ]
