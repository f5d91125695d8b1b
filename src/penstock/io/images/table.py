"""Reading tables with a column of paths of images as rows for ingestion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from penstock.io.csv.reader import CsvFiles
from penstock.io.examples.formats import MissingAs
from penstock.io.examples.rows import Blocks, RowBlocks, Rows, rows_of_batch
from penstock.io.files.filesystem import is_url, join
from penstock.io.images.image_file import ImageError, ImageFile, read_image
from penstock.io.images.ingest import IMAGE_FEATURES, image_columns
from penstock.io.ingestion.broken_rows import BrokenRow, OnBroken
from penstock.io.tables.parquet_ingest import read_parquet

_BLOCK_ROWS = 256
_SHOWN = 10


def read_image_table(
    files: Sequence[str], path_column: str, *, on_broken: OnBroken | None = None
) -> RowBlocks:
    """Read tables with a column of paths; each row gets `image`, `height`, `width` and `channels`.

    Args:
        files: CSV files (also `.gz`), or Parquet files; all in one folder, which the paths in them are
            relative to.
        path_column: The column of the paths.
        on_broken: Called with each row whose image is missing or damaged, which is left out; by default
            it is an error.

    Raises:
        ImageError: If an image is missing or damaged, or a path leads out of the folder.
        ValueError: If the tables have no such column, or columns named as those of the image.

    Example:
        >>> rows = read_image_table(["animals/animals.csv"], "file")
        >>> sorted(next(iter(rows)).batch.schema.names)
        ['age', 'channels', 'file', 'height', 'image', 'width']
    """
    folders = sorted({path.rpartition("/")[0] for path in files})
    if len(folders) > 1:
        raise ValueError(
            "The paths in a table are relative to its folder, so the tables of a split lie in one. "
            f"Received: {folders[:_SHOWN]}"
        )
    parquet = [path for path in files if path.endswith(".parquet")]
    if parquet and len(parquet) < len(files):
        raise ValueError(
            f"Tables of images are all Parquet or all CSV. Received: {list(files)[:_SHOWN]}"
        )
    missing: MissingAs = "kindless" if parquet else "empty"
    read = _TableRows(folders[0], path_column, missing)

    def blocks() -> Blocks:
        batches = (
            read_parquet(files, on_broken=on_broken)
            if parquet
            else CsvFiles(files).read(on_broken=on_broken)
        )
        parts = (
            batch.slice(start, _BLOCK_ROWS)
            for batch in batches
            for start in range(0, batch.num_rows, _BLOCK_ROWS)
        )
        if on_broken is None:
            return Blocks(read, parts)
        return Blocks(read.rows, (read.with_images(part, on_broken) for part in parts))

    return RowBlocks(blocks)


@dataclass(frozen=True)
class _TableRows:
    """Makes rows from those of a table."""

    folder: str
    path_column: str
    missing: MissingAs

    def __call__(self, batch: pa.RecordBatch) -> Rows:
        return self.rows(self.with_images(batch, None))

    def rows(self, batch: pa.RecordBatch) -> Rows:
        return rows_of_batch(batch, self.missing)

    def with_images(self, batch: pa.RecordBatch, on_broken: OnBroken | None) -> pa.RecordBatch:
        """Add the images' columns to a table's rows; a broken row is left out."""
        kept: list[int] = []
        images: list[ImageFile] = []
        for row, path in enumerate(self._paths(batch)):
            try:
                images.append(self._image(path))
                kept.append(row)
            except ImageError as error:
                if on_broken is None:
                    raise
                raw = (path or "").encode()
                place = self._place(path or "")
                on_broken(BrokenRow(place, error.reason, raw, column=self.path_column))
        rows = batch if len(kept) == batch.num_rows else batch.take(pa.array(kept, pa.int64()))
        columns = dict(zip(rows.schema.names, rows.columns, strict=True))
        return pa.RecordBatch.from_pydict({**columns, **image_columns(images)})

    def _paths(self, batch: pa.RecordBatch) -> Iterator[str | None]:
        names = batch.schema.names
        if self.path_column not in names:
            raise ValueError(
                f"The table in {self.folder} has no column {self.path_column!r}. Columns: {names}"
            )
        taken = sorted(set(names) & set(IMAGE_FEATURES))
        if taken:
            raise ValueError(
                f"The table in {self.folder} has columns {taken}, which are made from the images. "
                "Rename or drop them."
            )
        for value in batch.column(self.path_column).to_pylist():
            if value and not isinstance(value[0], bytes):
                raise ValueError(
                    f"Column {self.path_column!r} must hold paths. Received: {value[0]!r}"
                )
            yield value[0].decode() if value else None

    def _image(self, path: str | None) -> ImageFile:
        if not path:
            raise ImageError(self.folder, f"a row has no path in column {self.path_column!r}")
        if path.startswith("/") or is_url(path) or ".." in path.split("/"):
            # Only what lies in the folder is in the cache key.
            raise ImageError(path, f"paths must lead into the folder of the table, {self.folder}")
        try:
            return read_image(self._place(path))
        except FileNotFoundError as error:
            raise ImageError(self._place(path), "there is no such file") from error

    def _place(self, path: str) -> str:
        return join(self.folder, path)
