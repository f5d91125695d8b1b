"""A request and its answer as tf.Examples: one for each row.

A record has the row's features under their own names, so that it can be read like any other data, and
what the server adds under names that start with `served.`:

    served.request_id   the id that the answer's header gave back
    served.row          the row's place in the request
    served.time         when the request came, in microseconds since 1970
    served.model, served.version, served.label, served.signature
    served.bucket       which of 4,096 parts of the users it came from, where a header divides the traffic
    served.output.NAME  each output of the model
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from penstock.io.examples.messages import example_class

PREFIX = "served."
REQUEST_ID, ROW, BUCKET = f"{PREFIX}request_id", f"{PREFIX}row", f"{PREFIX}bucket"
OUTPUT_PREFIX = f"{PREFIX}output."

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Answered:
    """A request that a version of a model answered.

    Args:
        request_id: The id that the client gets.
        model: The model's name.
        version: The version that answered.
        signature: The signature that was asked.
        time: When the request came, in seconds since 1970.
        inputs: The tensors by name.
        outputs: The answer by name.
        takes_examples: Whether the one input holds serialized tf.Examples.
        label: The label that the request or the split named.
        rows: The place of each row in the request, if it was divided; else they are counted from 0.
        bucket: Which part of the keys the request belongs to, where a header divides the traffic.
    """

    request_id: str
    model: str
    version: int
    signature: str
    time: float
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    takes_examples: bool = False
    label: str | None = None
    rows: tuple[int, ...] | None = None
    bucket: int | None = None

    @property
    def size(self) -> int:
        """About how many bytes it keeps in memory."""
        return sum(_size(each) for each in (*self.inputs.values(), *self.outputs.values()))


def records_of(answered: Answered, mask: Collection[str] = ()) -> Iterator[bytes]:
    """Yield a serialized tf.Example for each row.

    A masked feature, input or output is left out: it is a missing value to whoever reads the log.
    Complex numbers are left out too, since a tf.Example cannot hold them.

    Args:
        answered: The request with its answer.
        mask: The names that are left out.

    Example:
        >>> records = list(records_of(answered, mask={"email"}))
    """
    count = _row_count(answered)
    places = range(count) if answered.rows is None else answered.rows
    fixed = _fixed(answered)
    outputs = {name: array for name, array in sorted(answered.outputs.items()) if name not in mask}
    message = example_class()
    for row, place in zip(range(count), places, strict=False):
        if answered.takes_examples:
            (serialized,) = answered.inputs.values()
            example = message.FromString(serialized[row])
            example.DiscardUnknownFields()
        else:
            example = message()
        features = example.features.feature
        if answered.takes_examples:
            for name in [name for name in features if name in mask or name.startswith(PREFIX)]:
                del features[name]
        else:
            for name, array in answered.inputs.items():
                if name not in mask:
                    _add(features, name, array, row, count)
        for name, array in outputs.items():
            _add(features, OUTPUT_PREFIX + name, array, row, count)
        example.MergeFrom(fixed)
        features[ROW].int64_list.value.append(place)
        yield example.SerializeToString(deterministic=True)


def _row_count(answered: Answered) -> int:
    """Return the number of rows; 1 where the arrays do not agree on one."""
    sizes = {array.shape[0] if array.ndim else 0 for array in answered.inputs.values()}
    return sizes.pop() if len(sizes) == 1 and sizes != {0} else 1


def _fixed(answered: Answered) -> Any:
    example = example_class()()
    features = example.features.feature
    for name, value in (
        ("request_id", answered.request_id),
        ("model", answered.model),
        ("signature", answered.signature),
        ("label", answered.label),
    ):
        if value is not None:
            features[PREFIX + name].bytes_list.value.append(value.encode())
    features[f"{PREFIX}version"].int64_list.value.append(answered.version)
    if answered.bucket is not None:
        features[BUCKET].int64_list.value.append(answered.bucket)
    features[f"{PREFIX}time"].int64_list.value.append(int(answered.time * 1e6))
    return example


def _add(features: Any, name: str, array: Array, row: int, count: int) -> None:
    if array.ndim and len(array) == count:
        array = array[row : row + 1]
    values = array.ravel()
    if values.dtype == object:
        given = [each for each in values.tolist() if each is not None]
        if given and all(isinstance(each, int | float) for each in given):
            values = np.array(given)
        else:
            values = np.empty(len(given), object)
            values[:] = given
    kind = values.dtype.kind
    if kind in "OSU":
        features[name].bytes_list.value.extend(
            each if isinstance(each, bytes) else str(each).encode() for each in values.tolist()
        )
    elif kind in "iub":
        features[name].int64_list.value.extend(values.astype(np.int64).tolist())
    elif kind != "c":
        with np.errstate(over="ignore"):
            features[name].float_list.value.extend(values.astype(np.float32).tolist())


def _size(array: Array) -> int:
    if array.dtype != object:
        return array.nbytes
    texts = (each for each in array.ravel().tolist() if isinstance(each, bytes | str))
    return array.nbytes + sum(map(len, texts))
