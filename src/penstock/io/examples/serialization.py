"""RecordBatches to canonical serialized tf.Examples, without Python work per row.

The canonical bytes are protobuf's deterministic serialization: features sorted by name, numbers
packed, an empty typed list written as such (`int64_list {}`, not an absent kind). TFX hashes these
bytes to split a data set, so they decide a row's split. Names are sorted as in upb, the protobuf
runtime of TFX 1.21: a name that is the start of another one comes after it ("sex2", "sex").

Each column becomes, per row, a header (a function of the payload's length alone, so a few distinct
ones are built and taken by index) and a payload (the concatenated encodings of its values: a slice
of one flat buffer by the list's offsets). Arrow then joins headers and payloads of all columns.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from penstock.io.arrow.arrays import booleans, byte_strings, numbers, to_numpy, valid_rows
from penstock.io.arrow.wire_format import (
    Lengths,
    binary_array,
    by_length,
    delimited,
    offsets_of,
    text_fields,
    varint_payloads,
)
from penstock.io.examples.formats import MissingAs

_TAG = {"bytes": b"\x0a", "float": b"\x12", "int64": b"\x1a"}
_EMPTY = byte_strings([b""])[0]
_AFTER_ALL = 256


class _HeaderOf:
    """Bytes before a payload of a given length, in a Feature or in a whole map entry."""

    def __init__(self, kind: str | None, key: bytes | None) -> None:
        self._kind = kind
        self._key = key

    def __call__(self, payload_length: int) -> bytes:
        feature = self._feature_prefix(payload_length)
        if self._key is None:
            return feature
        key = delimited(b"\x0a", len(self._key)) + self._key
        value = delimited(b"\x12", len(feature) + payload_length)
        entry_length = len(key) + len(value) + len(feature) + payload_length
        return delimited(b"\x0a", entry_length) + key + value + feature

    def _feature_prefix(self, payload_length: int) -> bytes:
        if self._kind is None:
            return b""
        packed = b""
        if self._kind != "bytes" and payload_length:
            packed = delimited(b"\x0a", payload_length)
        return delimited(_TAG[self._kind], len(packed) + payload_length) + packed


def _bytes_payloads(values: pa.Array) -> tuple[Lengths, pa.Buffer]:
    """Encode byte strings as repeated fields; return offsets and the flat bytes."""
    offsets, joined = text_fields(1, values.cast(pa.large_binary()))
    return offsets, joined.buffers()[2] or pa.py_buffer(b"")


def _as_large_list(name: str, column: pa.Array) -> pa.Array:
    kind = column.type
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return column.cast(pa.large_list(kind.value_type))
    if pa.types.is_large_list(kind):
        return column
    if pa.types.is_nested(kind):
        raise TypeError(
            f"Column {name!r} of type {kind} does not fit into a tf.Example. Expected one value or "
            f"a list of values per row."
        )
    offsets = offsets_of(valid_rows(column).astype(np.int64))
    return pa.LargeListArray.from_arrays(
        numbers(offsets), column.drop_null(), mask=column.is_null() if column.null_count else None
    )


def _encode_column(name: str, column: pa.Array) -> tuple[str | None, Lengths, pa.Array]:
    """Return the feature's kind, the payload lengths and the payloads of a column."""
    if pa.types.is_null(column.type):
        zeros = np.zeros(len(column), dtype=np.int64)
        return None, zeros, binary_array(np.zeros(len(column) + 1, np.int64), pa.py_buffer(b""))
    lists = _as_large_list(name, column)
    values = lists.flatten()
    if values.null_count:
        raise ValueError(
            f"Column {name!r} has a null inside a list; a tf.Example cannot hold one. Make the "
            f"whole cell null instead."
        )
    row_ends = _row_ends(lists)
    kind = values.type
    data: npt.NDArray[np.uint8] | pa.Buffer
    if pa.types.is_floating(kind):
        label, data = "float", _single_precision(name, to_numpy(values)).view(np.uint8)
        offsets = 4 * row_ends
    elif pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        label = "int64"
        integers = to_numpy(_signed(name, values))
        value_offsets, data = varint_payloads(np.ascontiguousarray(integers))
        offsets = value_offsets[row_ends]
    elif pa.types.is_null(kind):
        label, offsets, data = "bytes", row_ends * 0, pa.py_buffer(b"")
    elif _is_binary_like(kind):
        label = "bytes"
        value_offsets, data = _bytes_payloads(values)
        offsets = value_offsets[row_ends]
    else:
        raise TypeError(
            f"Column {name!r} of type {column.type} does not fit into a tf.Example. Expected "
            f"integers, floats, booleans, strings or bytes, or lists of them."
        )
    return label, np.diff(offsets), binary_array(offsets, data)


def _single_precision(name: str, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(values, "<f4")
    if values.dtype == np.float64:
        beyond = np.isinf(single) & np.isfinite(values)
        if beyond.any():
            raise ValueError(
                f"Column {name!r} holds {values[beyond][0]}, beyond the floats of a tf.Example (3.4e38 at "
                f"most). Rescale it, or write its logarithm."
            )
    return single


def _signed(name: str, values: pa.Array) -> pa.Array:
    try:
        return values.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"Column {name!r} holds an integer beyond those of a tf.Example (2**63 - 1 at most): {error}"
        ) from error


def _row_ends(lists: pa.Array) -> Lengths:
    """Return where each row's values end in the flattened lists; a null row has none."""
    lengths = np.diff(to_numpy(lists.offsets)).astype(np.int64)
    if lists.null_count:
        lengths[~valid_rows(lists)] = 0
    return offsets_of(lengths)


def _is_binary_like(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    )


def serialize_feature(name: str, column: pa.Array) -> pa.LargeBinaryArray:
    """Serialize one column as `tf.train.Feature`s in their deterministic form.

    Args:
        name: The column's name, for messages.
        column: Values or lists of values, one entry per row; a null becomes an empty typed list.

    Returns:
        One serialized Feature per row.
    """
    kind, lengths, payloads = _encode_column(name, column)
    headers, _ = by_length(lengths, _HeaderOf(kind, None))
    if isinstance(headers, pa.Scalar):
        headers = byte_strings([headers.as_py()] * len(column))
    return pc.binary_join_element_wise(headers, payloads, _EMPTY)


def serialize_examples(
    batch: pa.RecordBatch, *, missing: MissingAs = "empty"
) -> pa.LargeBinaryArray:
    """Serialize the rows of a batch as `tf.train.Example`s in their deterministic form.

    Args:
        batch: Columns of int64, float32 (float64 is rounded), bytes or strings, or of lists of
            them. A column of Arrow's null type becomes a Feature without a kind.
        missing: What a null cell becomes. "empty": a feature with an empty list of its column's
            kind, as TFX's CsvExampleGen writes; "absent": no feature at all, as tfx-bsl's encoder
            writes; "kindless": a feature of no kind, also for an empty list, as TFX's other
            ExampleGens write.

    Returns:
        One serialized Example per row.

    Raises:
        TypeError: If a column's type does not fit into a tf.Example.
        ValueError: If a value does not: a null in a list, or a number beyond int64 or float32.

    Example:
        >>> batch = pa.record_batch({"age": [37, None], "name": ["Ann", "Bo"]})
        >>> tf.train.Example.FromString(serialize_examples(batch)[0].as_py())
    """
    parts, total = _parts(batch, missing)
    outer, _ = by_length(total, lambda length: delimited(b"\x0a", length))
    return _joined([outer, *parts], batch.num_rows)


def serialize_features(batch: pa.RecordBatch) -> pa.LargeBinaryArray:
    """Serialize the rows of a batch as `tf.train.Features`, see `serialize_examples`.

    Args:
        batch: The columns; a null cell becomes a feature with an empty list.

    Returns:
        One serialized Features per row: what a serialized Example holds in its only field.
    """
    return _joined(_parts(batch, "empty")[0], batch.num_rows)


def _parts(batch: pa.RecordBatch, missing: MissingAs) -> tuple[list[pa.Array | pa.Scalar], Lengths]:
    """Return what the features of each row are joined of, and the bytes of each row."""
    parts: list[pa.Array | pa.Scalar] = []
    total: Lengths = np.zeros(batch.num_rows, dtype=np.int64)
    texts = batch.schema.names
    names = [name.encode() for name in texts]
    if len(set(names)) != len(names):
        duplicates = sorted({name for name in texts if texts.count(name) > 1})
        raise ValueError(f"A tf.Example cannot hold two features of the same name: {duplicates}")
    for index in sorted(range(len(names)), key=lambda index: (*names[index], _AFTER_ALL)):
        column = batch.column(index)
        kind, lengths, payloads = _encode_column(texts[index], column)
        headers, header_lengths = by_length(lengths, _HeaderOf(kind, names[index]))
        if missing == "absent" and column.null_count:
            present = column.is_valid()
            headers = pc.if_else(present, headers, _EMPTY)
            header_lengths = header_lengths * to_numpy(present)
        elif missing == "kindless" and kind is not None and not lengths.all():
            kindless = _HeaderOf(None, names[index])(0)
            headers = pc.if_else(booleans(lengths > 0), headers, byte_strings([kindless])[0])
            header_lengths = np.where(lengths > 0, header_lengths, len(kindless))
        parts += [headers, payloads]
        total += header_lengths
        total += lengths
    return parts, total


def _joined(parts: list[pa.Array | pa.Scalar], rows: int) -> pa.LargeBinaryArray:
    if all(isinstance(part, pa.Scalar) for part in parts):
        return byte_strings([b"".join(part.as_py() for part in parts)] * rows)
    return pc.binary_join_element_wise(*parts, _EMPTY)
