"""Predictions as serialized PredictionLogs of TensorFlow Serving, without Python work per row.

The messages are those that tfx-bsl's RunInference makes: one for each row, with the row in the request.
Their fields are in tensorflow_serving/apis (prediction_log, predict, classification, regression, inference,
input, model) and tensorflow/core/framework/tensor.proto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.bulk_inference.head_results import classes_of, is_ragged, regressed
from penstock.bulk_inference.heads import HeadOutputs
from penstock.io.arrow.arrays import byte_strings
from penstock.io.arrow.wire_format import (
    RowBytes,
    binary_array,
    field,
    text_fields,
    varint,
    varint_payloads,
)
from penstock.serving.serialized_examples import SerializedExamples

Array = npt.NDArray[Any]

_CLASSIFY_LOG, _REGRESS_LOG, _MULTI_INFERENCE_LOG, _PREDICT_LOG = 2, 3, 4, 6
_REQUEST, _RESPONSE = 1, 2
_KEY, _VALUE = 1, 2

# Numbers of tensorflow/core/framework/types.proto.
_DTYPES = {
    "float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int16": 5, "int8": 6, "int64": 9, "bool": 10,
    "uint16": 17, "float16": 19, "uint32": 22, "uint64": 23,
}  # fmt: skip
_STRING = 7
_TENSOR_CONTENT, _STRING_VAL = 4, 8
# Where the only number of a tensor is, as `tf.make_tensor_proto` writes it; several are in tensor_content.
_ONE_VALUE = {
    "float32": 5, "float64": 6, "int32": 7, "uint8": 7, "int16": 7, "int8": 7, "uint16": 7, "int64": 10,
    "uint32": 16, "uint64": 17,
}  # fmt: skip
_BOOL_VAL = 11


def prediction_logs(records: Sequence[bytes], heads: Sequence[HeadOutputs]) -> list[bytes]:
    """Return a serialized PredictionLog for each row.

    Args:
        records: The rows, serialized tf.Examples.
        heads: What the signatures returned: one, or several that classify or regress.

    Raises:
        ValueError: If an output does not fit what its signature is for.
    """
    rows = len(records)
    if len(heads) > 1:
        results = RowBytes.constant(rows, b"")
        for head in heads:
            name = RowBytes.constant(rows, field(1, _model_spec(head.signature)))
            number = 2 if head.method == "classify" else 3
            results = results + (name + _result(head).in_field(number)).in_field(1)
        log = _input(records, 2).in_field(_REQUEST) + results.in_field(_RESPONSE)
        return log.in_field(_MULTI_INFERENCE_LOG).as_list()
    (head,) = heads
    if head.method != "predict":
        number = _CLASSIFY_LOG if head.method == "classify" else _REGRESS_LOG
        response = _result(head).in_field(1)
        log = _input(records, 2).in_field(_REQUEST) + response.in_field(_RESPONSE)
        return log.in_field(number).as_list()
    spec = _model_spec(head.signature)
    request = RowBytes.constant(rows, field(1, spec)) + _tensors(head.requests, 2)
    response = _tensors(head.outputs, 1) + RowBytes.constant(rows, field(2, spec))
    log = request.in_field(_REQUEST) + response.in_field(_RESPONSE)
    return log.in_field(_PREDICT_LOG).as_list()


def request_logs(
    records: Sequence[bytes], signature: str, method: str, inputs: dict[str, Array]
) -> pa.LargeBinaryArray:
    """Return a serialized PredictionLog for each row with a request and no response, as for a warm-up.

    Args:
        records: The rows, serialized tf.Examples.
        signature: The signature that is asked.
        method: "predict", "classify" or "regress".
        inputs: The tensors that it is given, `[rows, ...]`, if it predicts.
    """
    spec = RowBytes.constant(len(records), field(1, _model_spec(signature)))
    if method == "predict":
        return (spec + _tensors(inputs, 2)).in_field(_REQUEST).in_field(_PREDICT_LOG).joined()
    number = _CLASSIFY_LOG if method == "classify" else _REGRESS_LOG
    return (spec + _input(records, 2)).in_field(_REQUEST).in_field(number).joined()


def _model_spec(signature: str) -> bytes:
    return field(3, signature.encode())


def _input(records: Sequence[bytes], number: int) -> RowBytes:
    """Return an Input with a list of one tf.Example, in a field of this number."""
    return RowBytes.of(list(records)).in_field(1).in_field(1).in_field(number)


def _result(head: HeadOutputs) -> RowBytes:
    """Return a ClassificationResult or a RegressionResult."""
    if head.method == "regress":
        values = regressed(head)
        tagged = np.empty(len(values), dtype=[("tag", "u1"), ("value", "<f4")])
        tagged["tag"], tagged["value"] = 0x0D, values
        return RowBytes.of_fixed(tagged).in_field(1)
    labels, scores = classes_of(head)
    some = labels if labels is not None else scores
    assert some is not None
    rows, count = some.shape
    if not count:
        return RowBytes.constant(rows, field(1, b""))
    one = RowBytes.constant(rows * count, b"")
    if labels is not None:
        one = one + RowBytes.of(labels.reshape(-1).tolist()).in_field(1)
    if scores is not None:
        tagged = np.empty(rows * count, dtype=[("tag", "u1"), ("value", "<f4")])
        tagged["tag"], tagged["value"] = 0x15, scores.reshape(-1)
        one = one + RowBytes.of_fixed(tagged)
    return one.in_field(1).grouped(count).in_field(1)


def _tensors(arrays: Mapping[str, Array | SerializedExamples], number: int) -> RowBytes:
    """Return the entries of a map of TensorProtos, each `[1, ...]`, in fields of this number."""
    rows = len(next(iter(arrays.values())))
    found = RowBytes.constant(rows, b"")
    for name, given in arrays.items():
        key = RowBytes.constant(rows, field(_KEY, name.encode()))
        if isinstance(given, SerializedExamples):
            header = RowBytes.constant(rows, _header(_STRING, ()))
            tensor = header + RowBytes.of(given.records).in_field(_STRING_VAL)
        else:
            tensor = _tensor(given)
        found = found + (key + tensor.in_field(_VALUE)).in_field(number)
    return found


def _tensor(array: Array) -> RowBytes:
    rows, name = len(array), array.dtype.name
    if is_ragged(array):
        return _ragged(array)
    size = int(np.prod(array.shape[1:], dtype=np.int64))
    if array.dtype == object:
        header = RowBytes.constant(rows, _header(_STRING, array.shape[1:]))
        if not size:
            return header
        if size == 1:
            return header + RowBytes.of(array.reshape(-1).tolist()).in_field(_STRING_VAL)
        offsets, fields = text_fields(_STRING_VAL, byte_strings(array.reshape(-1).tolist()))
        return header + RowBytes.of(binary_array(offsets[::size], fields.buffers()[2]))
    header = RowBytes.constant(rows, _header(_DTYPES[name], array.shape[1:]))
    if not size:
        return header
    if array.dtype == np.bool_:
        return header + RowBytes.of_fixed(array).in_field(_BOOL_VAL)
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    if size > 1 or name not in _ONE_VALUE:
        return header + RowBytes.of_fixed(little).in_field(_TENSOR_CONTENT)
    if array.dtype.kind == "f":
        return header + RowBytes.of_fixed(little).in_field(_ONE_VALUE[name])
    wide = little.reshape(-1).astype("<u8" if name == "uint64" else "<i8").view(np.int64)
    return header + RowBytes.of(binary_array(*varint_payloads(wide))).in_field(_ONE_VALUE[name])


def _ragged(array: Array) -> RowBytes:
    """Return tensors of another size for each row; this is Python work per row."""
    return RowBytes.of(byte_strings([_tensor(row[None]).joined()[0].as_py() for row in array]))


def _header(dtype: int, shape: Sequence[int]) -> bytes:
    sizes = b"".join(
        field(2, b"\x08" + varint(size)) if size else field(2, b"") for size in (1, *shape)
    )
    return b"\x08" + varint(dtype) + field(2, sizes)
