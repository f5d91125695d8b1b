"""Reading image files as rows for ingestion, with the name of the folder as the class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from penstock.io.arrow.arrays import byte_strings, numbers, one_value_lists
from penstock.io.examples.rows import Blocks, RowBlocks, Rows, rows_of_batch
from penstock.io.files.filesystem import file_size
from penstock.io.images.image_file import ImageError, ImageFile, read_image
from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken

IMAGE_FEATURES = ("image", "height", "width", "channels")

_BLOCK_FILES = 256
_BLOCK_BYTES = 8 << 20


class _Place(NamedTuple):
    """An image file that a row needs."""

    path: str
    name: str
    label: str


def read_image_folders(
    files: Sequence[str], *, label: bool = True, on_broken: OnBroken | None = None
) -> RowBlocks:
    """Read image files as rows with `image`, `height`, `width`, `channels`, `file_name` and `label`.

    Args:
        files: Local paths or fsspec URLs.
        label: Whether the name of a file's folder is its class.
        on_broken: Called with each file that is no image, which is left out; by default it is an error.

    Raises:
        ImageError: If a file is not an image, or damaged.

    Example:
        >>> rows = read_image_folders(["cats/1.png", "dogs/1.png"])
        >>> next(iter(rows)).batch["label"].to_pylist()
        [[b'cats'], [b'dogs']]
    """
    places = [_place(path) for path in files]
    read = _FolderRows(label)
    if on_broken is None:
        return RowBlocks(lambda: Blocks(read, _blocks(places)))
    return RowBlocks(lambda: Blocks(rows_of_batch, _sound(read, _blocks(places), on_broken)))


def _place(path: str) -> _Place:
    folder, _, name = path.rpartition("/")
    label = folder.rpartition("/")[2]
    return _Place(path, f"{label}/{name}" if label else name, label)


def _blocks(places: Sequence[_Place]) -> Iterator[list[_Place]]:
    block: list[_Place] = []
    size = 0
    for place in places:
        block.append(place)
        size += file_size(place.path)
        if len(block) == _BLOCK_FILES or size >= _BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


@dataclass(frozen=True)
class _FolderRows:
    """Makes rows from places of images."""

    label: bool

    def __call__(self, places: Sequence[_Place]) -> Rows:
        return rows_of_batch(self.batch(places, [read_image(place.path) for place in places]))

    def batch(self, places: Sequence[_Place], images: Sequence[ImageFile]) -> pa.RecordBatch:
        columns = image_columns(images)
        columns["file_name"] = _texts([place.name for place in places])
        if self.label:
            columns["label"] = _texts([place.label for place in places])
        return pa.RecordBatch.from_pydict(columns)


def _sound(
    read: _FolderRows, blocks: Iterator[list[_Place]], on_broken: OnBroken
) -> Iterator[pa.RecordBatch]:
    for block in blocks:
        places, images = [], []
        for place in block:
            try:
                images.append(read_image(place.path))
                places.append(place)
            except ImageError as error:
                on_broken(BrokenRow(place.path, error.reason, None))
        if places:
            yield read.batch(places, images)


def image_columns(images: Sequence[ImageFile]) -> dict[str, pa.Array]:
    """Return the columns `image`, `height`, `width` and `channels`."""
    sizes = {
        name: numbers(np.array([getattr(image, name) for image in images], np.int64))
        for name in IMAGE_FEATURES[1:]
    }
    columns = {"image": byte_strings([image.content for image in images]), **sizes}
    return {name: one_value_lists(values) for name, values in columns.items()}


def _texts(texts: Sequence[str]) -> pa.Array:
    return one_value_lists(byte_strings([text.encode() for text in texts]))
