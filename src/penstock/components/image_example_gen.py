"""ImageExampleGen: image files in folders by class, or listed in a table, into Examples."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from penstock.components.example_gen import FileBasedExampleGen
from penstock.io.ingestion.config import Input as InputConfig
from penstock.io.ingestion.config import Output as OutputConfig
from penstock.io.ingestion.config import Split

if TYPE_CHECKING:
    from penstock.beam import BeamSource
    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.io.ingestion.write_examples import Rows


class ImageExampleGen(FileBasedExampleGen):
    """Reads image files into `Examples`: from a folder for each class, or from a table with their paths.

    `image` holds the file's bytes: PNG and JPEG as they are, other formats that Pillow reads (BMP,
    GIF, TIFF, WebP) as PNG. `height`, `width` and `channels` say what is in it. From folders, `label`
    is the name of the folder that the file lies in, and `file_name` that folder and the file's name;
    by default the images lie one folder below `input_base`. From a table, its columns are features.

    Each image is decoded once, so that a damaged one is found here. Hash buckets divide rows by their
    content: of many pictures of one thing, some would land in each split. Name their group in a table,
    as `partition_feature_name`.

    Further arguments are those of `FileBasedExampleGen`.

    Args:
        path_column: The column with the images' paths, relative to the table's folder. The input are
            then tables: CSV (also `.gz`) or Parquet; by default all files directly in `input_base`.
        label_from_folder: Whether rows get `label`.

    Example:
        ImageExampleGen(input_base="data/photos")    # data/photos/cat/1.png, data/photos/dog/1.png

        ImageExampleGen(
            input_base="data/flats",
            input_config=Input([Split("all", "flats.csv")]),
            path_column="picture",
        )
    """

    LIBRARIES: ClassVar = ("pyarrow", "tfx-bsl", "pillow")

    path_column: str | None = None
    label_from_folder: bool = True

    def check(self) -> None:
        """Check the parameters' values."""
        super().check()
        if self.path_column == "":
            raise ValueError("path_column must name a column. Received: path_column=''")
        if self.path_column is not None and not self.label_from_folder:
            raise ValueError(
                "label_from_folder is about images in folders; rows of a table have its columns. "
                f"Received: path_column={self.path_column!r}, label_from_folder=False"
            )

    def _configs(self) -> tuple[InputConfig, OutputConfig]:
        pattern = "*/*" if self.path_column is None else "*"
        inputs = self.input_config or InputConfig([Split("single_split", pattern)])
        return inputs, self.output_config or OutputConfig.default_for(inputs)

    def external_files(self, resolve: Callable[[str], str]) -> Mapping[str, str]:
        """Return the files that match the patterns; with tables, all files beside and below them."""
        found = super().external_files(resolve)
        if self.path_column is None:
            return found
        from penstock.io.files.filesystem import join, list_matching

        images: dict[str, str] = {}
        for name, table in found.items():
            folder = table.rpartition("/")[0]
            split = name.partition("/")[0]
            for file in list_matching(join(glob.escape(folder), "**")):
                images[f"{split}/{file.removeprefix(folder).lstrip('/')}"] = file
        return {**images, **found}

    def read_rows(self, files: list[str], on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Read the images of one split."""
        from penstock.io.images.ingest import read_image_folders
        from penstock.io.images.table import read_image_table

        if self.path_column is None:
            return read_image_folders(files, label=self.label_from_folder, on_broken=on_broken)
        return read_image_table(files, self.path_column, on_broken=on_broken)

    def _on_beam(self, files: Mapping[str, list[str]]) -> BeamSource | None:
        # The types of a table's columns are those of all its files, which one worker does not see.
        return super()._on_beam(files) if self.path_column is None else None
