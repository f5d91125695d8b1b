"""ImportExampleGen: TFRecord files into Examples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from penstock.artifacts.standard import DEFAULT_PAYLOAD_FORMAT
from penstock.components.example_gen import FileBasedExampleGen
from penstock.io.examples.formats import payload_format_named

if TYPE_CHECKING:
    from penstock.beam import InputReader
    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.io.ingestion.write_examples import Rows


class ImportExampleGen(FileBasedExampleGen):
    """Reads TFRecord files, gzipped or not, into `Examples`.

    Further arguments are those of `FileBasedExampleGen`.

    Args:
        payload_format: What a record is: "FORMAT_TF_EXAMPLE", "FORMAT_TF_SEQUENCE_EXAMPLE" or
            "FORMAT_PROTO".

    Example:
        ImportExampleGen(input_base="records", input_config=Input([Split("train", "train-*")]))
    """

    TYPE_NAME: ClassVar = "tfx.components.example_gen.import_example_gen.component.ImportExampleGen"

    payload_format: str = DEFAULT_PAYLOAD_FORMAT

    def check(self) -> None:
        """Check the payload format and the options that depend on it."""
        super().check()
        payload = payload_format_named(self.payload_format)
        is_example = self.payload_format == DEFAULT_PAYLOAD_FORMAT
        if self.output_file_format == "parquet" and not is_example:
            raise ValueError(
                f"Parquet output holds tf.Examples only. Received: "
                f"payload_format={self.payload_format!r}"
            )
        feature = self._configs()[1].split_config.partition_feature_name
        if feature and not payload.has_features:
            raise ValueError(
                f"Records of payload_format='FORMAT_PROTO' have no features to partition by. "
                f"Received: partition_feature_name={feature!r}"
            )

    def payload(self) -> str:
        """Return the payload format."""
        return self.payload_format

    def read_rows(self, files: list[str], on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Read the TFRecord files of one split."""
        from penstock.io.tfrecord.ingest import read_record_rows

        unify = self.output_file_format == "parquet"
        return read_record_rows(files, self.payload_format, unify_schema=unify, on_broken=on_broken)

    def beam_input(self) -> InputReader:
        """Return how Beam reads TFRecord files: some thousand records at a time."""
        from penstock.beam import RecordInput

        return RecordInput(self.payload_format, unify_schema=self.output_file_format == "parquet")
