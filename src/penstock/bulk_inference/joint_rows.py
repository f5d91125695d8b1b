"""Predictions and all features of the rows from one parse of the examples, for Parquet."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from penstock.bulk_inference.heads import HeadedModel, HeadOutputs, SavedModelHeads
from penstock.serving.joint_call import AskedSignature, JointCall, NotJoinable
from penstock.serving.serialized_examples import SerializedExamples

Array = npt.NDArray[Any]
_RELATIVE, _ABSOLUTE = 1e-5, 1e-6
_COMPARED_ROWS = 256
_TAG = 0x0A
_LONGEST = 5
_PADDING = 256
_VALUE_TAG = 0x12
_NUMBER_LISTS = (0x12, 0x1A)


class JointRows:
    """Calls a model's signatures and reads the rows' features at once.

    The graph is joined with the first batch, and used only if it says of some of its rows what the model
    and the decoder of rows say. TensorFlow's parser passes over features that it was not told of, so the
    features of each row that have values are counted: the rows are all there only if it found as many.

    Args:
        model: The model.
        schema: The features with their types.
        decode: Makes columns of serialized tf.Examples and the first one's number, in the schema's types.
    """

    def __init__(
        self,
        model: HeadedModel,
        schema: pa.Schema,
        decode: Callable[[SerializedExamples, int], pa.RecordBatch],
    ) -> None:
        self._model = model
        self._schema = schema
        self._decode = decode
        self._types = {
            column.name: column.type.value_type
            for column in schema
            if not pa.types.is_null(column.type)
        }
        self._call: JointCall | None = None
        self._joining = threading.Lock()
        self._is_off = not isinstance(model, SavedModelHeads) or not model.take_serialized

    def __call__(
        self, records: SerializedExamples, first_row: int
    ) -> tuple[list[HeadOutputs], pa.RecordBatch] | None:
        """Return what the signatures and the rows say; None where each must be asked by itself."""
        import tensorflow as tf

        with self._joining:
            if self._call is None and not self._is_off:
                self._join(records, first_row)
        if self._is_off:
            return None
        try:
            return self._of(records)
        except tf.errors.OpError:
            return None  # the model or the decoder says why

    def _join(self, records: SerializedExamples, first_row: int) -> None:
        import tensorflow as tf

        assert isinstance(self._model, SavedModelHeads)
        try:
            functions = self._model.functions.values()
            some = SerializedExamples(records.tensor[:_COMPARED_ROWS])
            with ThreadPoolExecutor(1, "compare") as comparing:
                # The first call of each graph takes a while.
                expected = comparing.submit(self._model.infer, some, first_row)
                self._call = JointCall([AskedSignature(each) for each in functions], self._types)
                found = self._of(some)
                self._is_off = (
                    found is None
                    or not found[1].equals(self._decode(some, first_row))
                    or not _same(found[0], expected.result())
                )
        except (NotJoinable, tf.errors.OpError, ValueError):
            self._is_off = True

    def _of(self, records: SerializedExamples) -> tuple[list[HeadOutputs], pa.RecordBatch] | None:
        assert self._call is not None
        assert isinstance(self._model, SavedModelHeads)
        returned, lists = self._call(records.tensor)
        rows = len(records)
        heads = []
        for (name, method), outputs in zip(self._model.methods().items(), returned, strict=True):
            if any(array.ndim == 0 or len(array) != rows for array in outputs.values()):
                return None
            heads.append(HeadOutputs(name, method, {}, dict(sorted(outputs.items()))))
        is_there = {name: _lengths(column) > 0 for name, column in lists.items()}
        counts = np.sum(list(is_there.values()), axis=0, dtype=np.int64)
        with_values, empty_lists = count_features(records)
        # Of a row, features without values are all lists of none, as TFX writes them, or all missing.
        is_empty = (empty_lists == len(lists) - counts) & (empty_lists > 0)
        if not np.array_equal(counts, with_values) or (empty_lists[~is_empty] > 0).any():
            return None
        arrays = [
            _with_nulls(lists[column.name], is_there[column.name] | is_empty)
            if column.name in lists
            else pa.nulls(rows, column.type)
            for column in self._schema
        ]
        return heads, pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def count_features(
    records: SerializedExamples,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return how many features with values each tf.Example has, and how many lists of none, `[rows]`.

    The first is -1 where a tf.Example is not written as usual. The entries of the map are walked in all
    rows at once; their keys and values are not read.
    """
    lengths = np.fromiter(map(len, records.records), np.int64, len(records))
    data = np.frombuffer(b"".join([*records.records, bytes(_PADDING)]), np.uint8)
    ends = np.cumsum(lengths)
    counts = np.zeros(len(lengths), dtype=np.int64)
    empty = np.zeros(len(lengths), dtype=np.int64)
    rows = np.flatnonzero(lengths)
    ends = ends[rows]
    place, content_ends, usual = _entered(data, ends - lengths[rows])
    usual &= content_ends == ends
    while len(rows):
        going = usual & (place < ends)
        if not going.all():
            counts[rows[~usual]] = -1
            rows, place, ends = rows[going], place[going], ends[going]
            if not len(rows):
                break
        entry, place, usual = _entered(data, place)
        usual &= place <= ends
        has_values, is_empty, simple = _values_of(data, entry, place)
        # Indexing takes longer than all the rest, so it is only for when some rows are done.
        of_rows: Any = slice(None) if len(rows) == len(lengths) else rows
        counts[of_rows] += has_values
        empty[of_rows] += is_empty
        usual &= simple
    return counts, empty


def _values_of(
    data: npt.NDArray[np.uint8], start: npt.NDArray[np.int64], end: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return whether map entries have values, or a list of none, and whether that can be told."""
    last = len(data) - 8
    start = np.minimum(start, last)
    key_size = data.take(start + 1)
    value = np.minimum(start + key_size + 2, last)
    size = data.take(value + 1)
    is_value = data.take(value) == _VALUE_TAG
    is_unset = (value >= end) | (is_value & (size == 0))
    is_packed_nothing = size == 4
    if is_packed_nothing.any():
        kind = data.take(value + 2)
        is_packed_nothing &= (kind == _NUMBER_LISTS[0]) | (kind == _NUMBER_LISTS[1])
        is_packed_nothing &= (data.take(value + 4) == _TAG) & (data.take(value + 5) == 0)
    is_empty = ~is_unset & ((size == 2) | is_packed_nothing)
    simple = (data.take(start) == _TAG) & (key_size < 0x80)
    simple &= is_unset | (is_value & (size >= 2))
    return ~is_unset & ~is_empty, is_empty, simple


def _entered(
    data: npt.NDArray[np.uint8], place: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Read the heads of messages in field 1: where they begin and end, and whether there are such."""
    is_usual = data.take(place) == _TAG
    start = place + 1
    digit = data.take(start)
    if not (digit >= 0x80).any():
        start += 1
        return start, start + digit, is_usual
    length = np.zeros(len(place), dtype=np.int64)
    going = np.ones(len(place), dtype=bool)
    for size in range(_LONGEST):
        digit = data.take(np.minimum(start, len(data) - 1))
        length += np.where(going, (digit & 0x7F).astype(np.int64) << 7 * size, 0)
        start += going
        going &= digit >= 0x80
        if not going.any():
            break
    return start, start + length, is_usual & ~going


def _lengths(lists: pa.LargeListArray) -> npt.NDArray[np.int64]:
    offsets = np.frombuffer(lists.buffers()[1], np.int64, len(lists) + 1)
    return np.asarray(offsets[1:] - offsets[:-1])


def _with_nulls(lists: pa.LargeListArray, is_there: npt.NDArray[np.bool_]) -> pa.Array:
    """Return lists with nulls where there are none."""
    if is_there.all():
        return lists
    mask = pa.array(~is_there)
    return pa.LargeListArray.from_arrays(lists.offsets, lists.values, mask=mask)


def _same(one: list[HeadOutputs], other: list[HeadOutputs]) -> bool:
    return all(
        _equal(mine.outputs, theirs.outputs) for mine, theirs in zip(one, other, strict=True)
    )


def _equal(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    if one.keys() != other.keys():
        return False
    for name, values in one.items():
        expected = other[name]
        if values.shape != expected.shape or values.dtype != expected.dtype:
            return False
        if values.dtype.kind == "f":
            if not np.allclose(values, expected, _RELATIVE, _ABSOLUTE, equal_nan=True):
                return False
        elif not np.array_equal(values, expected):
            return False
    return True
