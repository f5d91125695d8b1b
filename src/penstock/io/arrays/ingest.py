"""Reading files of arrays as rows for ingestion: the first dimension is the rows."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from penstock.io.arrays.array_files import Array, ArrayFileError, read_array_file
from penstock.io.arrow.arrays import byte_strings, numbers
from penstock.io.images.png import encode_png

_BATCH_BYTES = 8 << 20
_BATCH_ROWS = 10_000
_LARGEST_INT64 = np.iinfo(np.int64).max
_LARGEST_FLOAT32 = np.finfo(np.float32).max
_GREY_RANK, _COLOR_RANK = 3, 4
_CHANNELS = (1, 3, 4)


def read_arrays(
    files: Sequence[str],
    features: Mapping[str, str] | None = None,
    *,
    encode_images: bool = True,
) -> Iterator[pa.RecordBatch]:
    """Read arrays as RecordBatches whose columns are lists of int64, float32 or bytes.

    Integers and booleans become int64 values, floats float32, strings and bytes bytes. A row of an array
    of several dimensions becomes a list of its values, in row-major order.

    Args:
        files: Local paths or fsspec URLs of IDX, `.npy` and `.npz` files; see `read_array_file`.
        features: For each feature a glob over the names of arrays; several that match are joined, in the
            order of the files and keys. By default each array is a feature of its own name.
        encode_images: Whether uint8 arrays of the shape (rows, height, width) or (rows, height, width,
            channels), with 1, 3 or 4 channels, become one PNG file a row.

    Raises:
        ArrayFileError: If a file cannot be read, nothing matches, or numbers of rows differ.

    Example:
        >>> files = ["digits-images-idx3-ubyte.gz", "digits-labels-idx1-ubyte.gz"]
        >>> next(read_arrays(files, {"image": "*images*", "label": "*labels*"})).schema.names
        ['image', 'label']
    """
    contents = {path: read_array_file(path) for path in files}
    named = [(path, name) for path, arrays in contents.items() for name in arrays]
    chosen = _chosen(named, features)
    shapes: dict[str, tuple[int, ...]] = {}
    for parts in zip(*chosen.values(), strict=True):
        arrays = {
            feature: contents[path][name]
            for feature, (path, name) in zip(chosen, parts, strict=True)
        }
        _check_rows(dict(zip(chosen, parts, strict=True)), arrays, shapes)
        yield from _batches(arrays, encode_images)


def _chosen(
    named: Sequence[tuple[str, str]], features: Mapping[str, str] | None
) -> dict[str, list[tuple[str, str]]]:
    """Return the arrays of each feature."""
    names = sorted({name for _, name in named})
    patterns = features or {name: glob_of(name) for name in names}
    chosen = {
        feature: [place for place in named if fnmatch.fnmatchcase(place[1], pattern)]
        for feature, pattern in patterns.items()
    }
    for feature, places in chosen.items():
        if not places:
            raise ArrayFileError(
                f"Feature {feature!r}: no array matches {patterns[feature]!r}. Arrays: {names}"
            )
    if len({len(places) for places in chosen.values()}) > 1:
        listed = "; ".join(f"{feature}: {[n for _, n in v]}" for feature, v in chosen.items())
        raise ArrayFileError(f"Each feature needs as many arrays as the others. Received: {listed}")
    return chosen


def glob_of(name: str) -> str:
    """Return the pattern that matches a name alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _check_rows(
    places: Mapping[str, tuple[str, str]],
    arrays: Mapping[str, Array],
    shapes: dict[str, tuple[int, ...]],
) -> None:
    for feature, array in arrays.items():
        path, name = places[feature]
        if not array.ndim:
            raise ArrayFileError(f"{path}, array {name!r}: one value, not rows of them.")
        if shapes.setdefault(feature, array.shape[1:]) != array.shape[1:]:
            raise ArrayFileError(
                f"{path}, array {name!r}: its rows have the shape {array.shape[1:]}, those before it "
                f"{shapes[feature]}. All arrays of feature {feature!r} need one shape."
            )
    if len({len(array) for array in arrays.values()}) > 1:
        listed = "; ".join(
            f"{feature}: {len(array)} in {places[feature][1]!r} of {places[feature][0]}"
            for feature, array in arrays.items()
        )
        raise ArrayFileError(f"The features need equal numbers of rows. Received: {listed}")


def _batches(arrays: Mapping[str, Array], encode_images: bool) -> Iterator[pa.RecordBatch]:
    rows = len(next(iter(arrays.values())))
    row_bytes = sum(array.itemsize * math.prod(array.shape[1:]) for array in arrays.values())
    step = min(_BATCH_ROWS, max(1, _BATCH_BYTES // max(1, row_bytes)))
    for start in range(0, rows, step):
        columns = [
            _column(name, array[start : start + step], encode_images)
            for name, array in arrays.items()
        ]
        yield pa.RecordBatch.from_arrays(columns, list(arrays))


def _column(name: str, array: Array, encode_images: bool) -> pa.LargeListArray:
    if encode_images and is_image_array(array):
        values = byte_strings([encode_png(pixels) for pixels in array])
        return _lists(values, len(array), 1)
    return _lists(_values(name, array.reshape(-1)), len(array), math.prod(array.shape[1:]))


def is_image_array(array: Array) -> bool:
    """Return whether an array holds an 8-bit image a row."""
    shape = array.shape
    return array.dtype == np.uint8 and (
        len(shape) == _GREY_RANK or (len(shape) == _COLOR_RANK and shape[-1] in _CHANNELS)
    )


def _lists(values: pa.Array, rows: int, width: int) -> pa.LargeListArray:
    return pa.LargeListArray.from_arrays(numbers(np.arange(rows + 1) * width), values)


def _values(name: str, flat: Array) -> pa.Array:
    kind = flat.dtype.kind
    if kind in "bi":
        return numbers(flat.astype(np.int64))
    if kind == "u":
        if flat.size and int(flat.max()) > _LARGEST_INT64:
            raise ArrayFileError(f"Feature {name!r}: {flat.max()} is beyond 64-bit integers.")
        return numbers(flat.astype(np.int64))
    if kind == "f":
        if np.any(np.isfinite(flat) & (np.abs(flat) > _LARGEST_FLOAT32)):
            raise ArrayFileError(f"Feature {name!r} has a value beyond the floats of a tf.Example.")
        return numbers(flat.astype(np.float32))
    if kind == "S":
        return byte_strings(flat.tolist())
    if kind == "U":
        return byte_strings([text.encode() for text in flat.tolist()])
    raise ArrayFileError(
        f"Feature {name!r}: values of type {flat.dtype} do not fit into a tf.Example. Expected "
        "booleans, integers, floats, strings or bytes: convert the array."
    )
