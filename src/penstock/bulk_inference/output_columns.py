"""Predictions as columns of Examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.bulk_inference.head_results import classes_of, is_ragged, regressed
from penstock.bulk_inference.heads import HeadOutputs
from penstock.bulk_inference.specs import OutputColumnsSpec
from penstock.io.arrow.arrays import byte_strings, numbers
from penstock.io.arrow.wire_format import (
    RowBytes,
    delimited,
    field,
    offsets_of,
    tag_of,
)
from penstock.io.examples.messages import example_class
from penstock.io.examples.serialization import serialize_features

Array = npt.NDArray[Any]


def output_columns(
    heads: Sequence[HeadOutputs], specs: Mapping[str, OutputColumnsSpec]
) -> dict[str, pa.LargeListArray]:
    """Return the columns that the specs ask for, a list of values a row.

    Args:
        heads: What the signatures returned.
        specs: The columns for each signature.

    Raises:
        ValueError: If an output does not exist, or is no list of values for each row.
    """
    columns: dict[str, pa.LargeListArray] = {}
    for head in heads:
        spec = specs[head.signature]
        if spec.predict_output is not None:
            for column in spec.predict_output.output_columns:
                if column.output_key not in head.outputs:
                    raise ValueError(
                        f"The signature {head.signature!r} has no output {column.output_key!r}, which goes "
                        f"to the column {column.output_column!r}. Outputs: {', '.join(head.outputs)}"
                    )
                array = head.outputs[column.output_key]
                columns[column.output_column] = _lists(column.output_key, array)
        elif spec.regress_output is not None:
            columns[spec.regress_output.value_column] = _lists("outputs", regressed(head))
        elif spec.classify_output is not None:
            labels, scores = classes_of(head)
            asked = spec.classify_output
            for name, found, what in (
                (asked.label_column, labels, "classes"),
                (asked.score_column, scores, "scores"),
            ):
                if name and found is None:
                    raise ValueError(
                        f"The signature {head.signature!r} returns no {what}, which go to the column "
                        f"{name!r}. Leave that column out of its ClassifyOutput."
                    )
                if name and found is not None:
                    columns[name] = _lists(what, found)
    return columns


def _lists(key: str, array: Array) -> pa.LargeListArray:
    rows = len(array)
    if is_ragged(array):
        lengths = np.array([len(row) for row in array], dtype=np.int64)
        flat = np.concatenate(list(array))
        return pa.LargeListArray.from_arrays(numbers(offsets_of(lengths)), _values(flat))
    sizes = [size for size in array.shape[1:] if size != 1]
    if len(sizes) > 1:
        raise ValueError(
            f"The output {key!r} has the shape {list(array.shape[1:])} for each row, which is no list of "
            "values: a column holds one list a row. Leave it out, or let the model return it flat."
        )
    offsets = np.arange(rows + 1, dtype=np.int64) * (sizes[0] if sizes else 1)
    return pa.LargeListArray.from_arrays(numbers(offsets), _values(array.reshape(-1)))


def _values(flat: Array) -> pa.Array:
    """Return values in the types of tf.Examples: bytes, int64 or float32."""
    if flat.dtype == object:
        return byte_strings(flat.tolist())
    if flat.dtype.kind in "iub":
        if flat.dtype == np.uint64 and len(flat) and flat.max() > np.iinfo(np.int64).max:
            raise ValueError(
                f"The model returned {flat.max()}, beyond the integers of a tf.Example."
            )
        return numbers(flat.astype(np.int64))
    return numbers(flat.astype(np.float32))


def check_new(columns: Sequence[str], names: Sequence[str]) -> None:
    """Check that the columns are not among the features of the examples.

    Raises:
        ValueError: If one is.
    """
    if known := sorted(set(columns) & set(names)):
        raise ValueError(
            f"The examples already have a feature {known[0]!r}, which is also the name of a column for "
            "predictions. Give that column another name in output_example_spec."
        )


def extended_records(
    records: Sequence[bytes], columns: Mapping[str, pa.LargeListArray]
) -> list[bytes]:
    """Return serialized tf.Examples with further features.

    Args:
        records: Serialized tf.Examples.
        columns: The new features.

    Raises:
        ValueError: If an example has one of them already.
    """
    _check_absent(records, list(columns))
    new = serialize_features(pa.RecordBatch.from_arrays(list(columns.values()), list(columns)))
    both = RowBytes.of(_features(records)) + RowBytes.of(new.to_pylist())
    return both.in_field(1).as_list()


def _check_absent(records: Sequence[bytes], names: Sequence[str]) -> None:
    joined = b"".join(records)
    if not any(field(1, name.encode()) in joined for name in names):
        return
    # The bytes are there, perhaps within a value.
    parse = example_class().FromString
    for record in records:
        check_new(names, list(parse(record).features.feature))


def _features(examples: Sequence[bytes]) -> list[bytes]:
    """Return the content of the one field of serialized tf.Examples: its features."""
    lengths = list(map(len, examples))
    header_of = {length: _header(length) for length in set(lengths)}
    headers = list(map(header_of.__getitem__, lengths))
    if not all(map(bytes.startswith, examples, headers)) or b"" in header_of.values():
        # Empty, with several fields, or with a length that is written at length: made canonical.
        parse = example_class().FromString
        examples = [
            example
            if header and example.startswith(header)
            else parse(example).SerializeToString(deterministic=True) or field(1, b"")
            for example, header in zip(examples, headers, strict=True)
        ]
        headers = [_header(len(example)) for example in examples]
    return [example[len(header) :] for example, header in zip(examples, headers, strict=True)]


def _header(length: int) -> bytes:
    """Return what a tf.Example of this length begins with if its features are all that it has.

    It is a tag and the length of what follows; empty for a length that no such tf.Example has.
    """
    for size in range(1, 6):
        header = delimited(tag_of(1), length - 1 - size) if length > size else b""
        if len(header) == 1 + size:
            return header
    return b""
