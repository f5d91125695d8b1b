"""What the file-based ExampleGens have in common: inputs, splits, spans and the artifact."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from penstock.artifacts import Examples
from penstock.dsl import Component, ExecutionContext, ExternalPath, Output, RuntimeParameter, output
from penstock.io.example_gen_config import Input as InputConfig
from penstock.io.example_gen_config import Output as OutputConfig
from penstock.io.example_gen_config import RangeConfig

if TYPE_CHECKING:
    from penstock.beam import InputReader
    from penstock.io.ingestion import Rows

_FILE_FORMATS = ("tfrecords_gzip", "parquet")


class FileBasedExampleGen(Component):
    """Reads files into `Examples`; the base of ExampleGens, also of one's own.

    A subclass defines `read_rows`. Files are found by `input_config`'s patterns, the latest span
    and version win, and rows are divided into splits by hash buckets, all as TFX does.

    Args:
        input_base: The folder that the patterns are relative to; a path or an fsspec URL.
        input_config: The input splits and their patterns; by default all files make one split.
        output_config: The output splits; by default two thirds train and one third eval, or the
            input's splits if it has several.
        range_config: Which span to take instead of the latest.
        output_file_format: "tfrecords_gzip" or "parquet".

    Outputs:
        examples: `Split-<name>/` folders, and `row_counts.json` beside them.
    """

    LIBRARIES: ClassVar = ("pyarrow", "tfx-bsl")
    USES_SEED: ClassVar = False

    input_base: ExternalPath
    input_config: InputConfig | None = None
    output_config: OutputConfig | None = None
    range_config: RangeConfig | None = None
    output_file_format: str = "tfrecords_gzip"
    examples: Output[Examples] = output()

    def check(self) -> None:
        """Checks the file format, and that several input splits are not hashed."""
        value = self.output_file_format
        if not isinstance(value, RuntimeParameter) and value not in _FILE_FORMATS:
            raise ValueError(
                f"output_file_format must be one of {list(_FILE_FORMATS)}. "
                f"Received: output_file_format={value!r}"
            )
        inputs, outputs = self._configs()
        names = [split.name for split in inputs.splits]
        if outputs.split_config.splits and len(names) > 1:
            raise ValueError(
                f"output_config divides one input split by hash buckets, input_config has "
                f"{len(names)}: {names}. Leave output_config out to keep the input's splits."
            )

    def _configs(self) -> tuple[InputConfig, OutputConfig]:
        inputs = self.input_config or InputConfig()
        return inputs, self.output_config or OutputConfig.default_for(inputs)

    def external_files(self, resolve: Callable[[str], str]) -> Mapping[str, str]:
        """Returns the files that the patterns choose."""
        from penstock.io.files import canonical
        from penstock.io.span_pattern import resolve_input

        base = resolve(self.input_base)
        resolved = resolve_input(base, self.input_config, self.range_config)
        root = canonical(base)
        return {
            f"{split}/{file.removeprefix(root).lstrip('/')}": file
            for split, files in resolved.files.items()
            for file in files
        }

    def read_rows(self, files: list[str]) -> Iterable[Rows]:
        """Reads the files of one input split.

        Args:
            files: Paths or URLs, sorted.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define read_rows(self, files)")

    def beam_input(self) -> InputReader:
        """Returns how Beam's workers read the input: by default `read_rows`, a file at a time.

        A subclass overrides it when files must agree on something, such as column types.
        """
        from penstock.beam import RowsInput

        return RowsInput(self.read_rows)

    def payload(self) -> str:
        """Returns what a record of the output is, for the property `payload_format`."""
        return "FORMAT_TF_EXAMPLE"

    def run(self, context: ExecutionContext) -> None:
        """Finds the files, reads them and writes the splits."""
        from penstock.beam import runs_locally
        from penstock.io.files import file_size
        from penstock.io.ingestion import output_splits, write_examples
        from penstock.io.span_pattern import resolve_input

        inputs, outputs = self._configs()
        base = context.resolve_path(self.input_base)
        resolved = resolve_input(base, inputs, self.range_config)
        if runs_locally(context.beam_pipeline_args):
            rows = {split: self.read_rows(files) for split, files in resolved.files.items()}
            counts = write_examples(rows, outputs, self.examples.uri, self.output_file_format)
        else:
            from penstock.beam import Engine, write_examples_on_beam

            counts = write_examples_on_beam(
                Engine.of(context),
                resolved.files,
                self.beam_input(),
                outputs,
                self.examples.uri,
                self.output_file_format,
            )
        context.log.info("Rows by split: %s", counts)
        context.report_metrics({f"rows/{split}": count for split, count in counts.items()})
        self.examples.splits = output_splits(list(resolved.files), outputs)
        fingerprint = ";".join(
            f"split:{split},num_files:{len(files)},total_bytes:{sum(map(file_size, files))}"
            for split, files in resolved.files.items()
        )
        self.examples.custom_properties.update(
            payload_format=self.payload(),
            file_format=self.output_file_format,
            input_fingerprint=fingerprint,
            span=resolved.span or 0,
        )
        if resolved.version is not None:
            self.examples.custom_properties["version"] = resolved.version
