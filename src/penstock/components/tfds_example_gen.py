"""TfdsExampleGen: a folder that TensorFlow Datasets has prepared into Examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from penstock.components.example_gen import FileBasedExampleGen
from penstock.dsl import ExecutionContext
from penstock.io.ingestion.config import Input as InputConfig
from penstock.io.ingestion.config import Output as OutputConfig
from penstock.io.ingestion.config import Split

if TYPE_CHECKING:
    from penstock.beam import BeamSource, InputReader
    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.io.ingestion.write_examples import Rows

_PAYLOAD = "FORMAT_TF_EXAMPLE"


class TfdsExampleGen(FileBasedExampleGen):
    """Reads a folder that TensorFlow Datasets has prepared into `Examples`, without that package.

    Such a folder holds `dataset_info.json`, `features.json` and TFRecord files. Its records are
    tf.Examples already: an image is the bytes of a PNG or JPEG file, a class a number, text is text;
    features within features have names such as `objects/bbox`. A split of which a file is missing, or
    which has other rows than the folder says, is an error.

    By default all rows make one split, which is divided by hash buckets. With `splits` the folder's
    own splits are kept. Further arguments are those of `FileBasedExampleGen`.

    Args:
        splits: Which of the folder's splits to read, as splits of the output.
        label_names: Whether classes become their names, from the folder's `*.labels.txt`; a row
            without a class (-1) gets an empty text. Rows are then converted where the node runs.

    Example:
        TfdsExampleGen(input_base="tensorflow_datasets/mnist/3.0.1", splits=["train", "test"])
    """

    splits: Sequence[str] = ()
    label_names: bool = False

    def check(self) -> None:
        """Check that the files are chosen once."""
        super().check()
        if self.splits and self.input_config is not None:
            raise ValueError(
                "splits and input_config both choose files. Give input_config only where the files "
                f"have names of their own. Received: splits={list(self.splits)} and an input_config"
            )

    def _configs(self) -> tuple[InputConfig, OutputConfig]:
        inputs = self.input_config
        if inputs is None:
            # The default template of names: DATASET-SPLIT.tfrecord-00000-of-00001.
            chosen = [Split(name, f"*-{name}.tfrecord*") for name in self.splits]
            inputs = InputConfig(chosen or [Split("single_split", "*.tfrecord*")])
        outputs = OutputConfig() if self.splits else OutputConfig.default_for(inputs)
        return inputs, self.output_config or outputs

    def external_files(self, resolve: Callable[[str], str]) -> Mapping[str, str]:
        """Return the records, and what the folder says about itself."""
        from penstock.io.files.filesystem import join
        from penstock.io.tfds.prepared import FEATURES_FILE, INFO_FILE, read_prepared_folder

        found = dict(super().external_files(resolve))
        base = resolve(self.input_base)
        names = [INFO_FILE, FEATURES_FILE]
        if self.label_names:
            names += read_prepared_folder(base).class_labels.values()
        return {**{name: join(base, name) for name in names}, **found}

    def read_rows(self, files: list[str], on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Read the records of one split."""
        from penstock.io.tfds.label_names import with_label_names
        from penstock.io.tfds.prepared import read_prepared_folder
        from penstock.io.tfrecord.ingest import read_record_rows

        folder = read_prepared_folder(files[0].rpartition("/")[0])
        folder.check_files(files)
        unify = self.output_file_format == "parquet"
        rows = read_record_rows(files, _PAYLOAD, unify_schema=unify, on_broken=on_broken)
        if not self.label_names:
            return rows
        return with_label_names(rows, {name: folder.names_of(name) for name in folder.class_labels})

    def beam_input(self) -> InputReader:
        """Return how Beam reads TFRecord files: some thousand records at a time."""
        from penstock.beam import RecordInput

        return RecordInput(_PAYLOAD, unify_schema=self.output_file_format == "parquet")

    def _on_beam(self, files: Mapping[str, list[str]]) -> BeamSource | None:
        return None if self.label_names else super()._on_beam(files)

    def run(self, context: ExecutionContext) -> None:
        """Check the folder, read it, and check that all of its rows came."""
        from penstock.io import read_row_counts
        from penstock.io.tfds.prepared import PreparedFolderError, read_prepared_folder

        super().run(context)
        base = context.resolve_path(self.input_base)
        records = list(super().external_files(context.resolve_path).values())
        expected = read_prepared_folder(base).check_files(records)
        counts = read_row_counts(self.examples.uri) or {}
        if self.on_error == "raise" and (written := sum(counts.values())) != expected:
            raise PreparedFolderError(
                f"{base}: its dataset_info.json says {expected} rows, and its files hold {written}. Copy "
                "or prepare the dataset again."
            )
