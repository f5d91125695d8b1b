"""NumpyExampleGen: arrays in IDX, `.npy` and `.npz` files into Examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from penstock.components.example_gen import FileBasedExampleGen

if TYPE_CHECKING:
    from penstock.beam import BeamSource
    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.io.ingestion.write_examples import Rows

_SPLIT = "{SPLIT}"


class NumpyExampleGen(FileBasedExampleGen):
    """Reads arrays into `Examples`: IDX files (MNIST's format), `.npy` and `.npz`, also gzipped.

    The first dimension of an array is the rows. Integers and booleans become int64 features, floats
    float, strings bytes; a row of several dimensions becomes a list of its values in row-major order.
    uint8 arrays of the shape (rows, height, width) or (rows, height, width, channels) are images: each
    row becomes a PNG file, as `ImageExampleGen` reads them.

    An array in an `.npz` file has the name of its key, any other that of its file without `.npy`,
    `.gz` and `.bz2`. On Beam the files are read where the node runs.

    Further arguments are those of `FileBasedExampleGen`; a file that cannot be read is always an error.

    Args:
        features: For each feature a glob over the names of arrays. Several arrays that match are
            joined. `{SPLIT}` stands for the name of the input split. By default each array is a
            feature of its own name.
        encode_images: Whether images become PNG files; if not, they become lists of their pixels.

    Example:
        NumpyExampleGen(
            input_base="data/digits", features={"image": "*-images-*", "label": "*-labels-*"}
        )

        NumpyExampleGen(
            input_base="data/mnist",
            input_config=Input([Split("train", "mnist.npz"), Split("test", "mnist.npz")]),
            features={"image": "x_{SPLIT}", "label": "y_{SPLIT}"},
        )
    """

    LIBRARIES: ClassVar = ("pyarrow", "tfx-bsl", "numpy")

    features: Mapping[str, str] | None = None
    encode_images: bool = True

    def check(self) -> None:
        """Check the parameters' values."""
        super().check()
        if self.on_error != "raise":
            raise ValueError(
                "NumpyExampleGen reads arrays as wholes, and leaves out no rows. Expected: "
                f"on_error='raise'. Received: on_error={self.on_error!r}"
            )
        if self.features is not None and not self.features:
            raise ValueError("features must name at least one feature. Received: features={}")

    def read_split(
        self, split: str, files: list[str], on_broken: OnBroken | None = None
    ) -> Iterable[Rows]:
        """Read the arrays of one split."""
        from penstock.io.arrays.ingest import read_arrays
        from penstock.io.ingestion.write_examples import Rows

        features = self.features and {
            name: pattern.replace(_SPLIT, split) for name, pattern in self.features.items()
        }
        return Rows.of_batches(read_arrays(files, features, encode_images=self.encode_images))

    def _on_beam(self, files: Mapping[str, list[str]]) -> BeamSource | None:
        # The arrays of a row lie in different files.
        return None
