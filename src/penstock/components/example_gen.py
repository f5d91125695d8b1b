"""The base of all ExampleGens, and of those that read files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from penstock.artifacts import Examples, Schema
from penstock.artifacts.standard import DEFAULT_FILE_FORMAT, DEFAULT_PAYLOAD_FORMAT
from penstock.dsl import Component, ExecutionContext, ExternalPath, Input, Output, output
from penstock.io.ingestion.config import Input as InputConfig
from penstock.io.ingestion.config import Output as OutputConfig
from penstock.io.ingestion.config import RangeConfig

if TYPE_CHECKING:
    from penstock.beam import BeamSource, InputReader
    from penstock.engines import RowSource
    from penstock.io.ingestion.broken_rows import OnBroken, Quarantine
    from penstock.io.ingestion.personal_data import PersonalMask
    from penstock.io.ingestion.span_pattern import ResolvedInput
    from penstock.io.ingestion.write_examples import Rows

OUTPUT_FILE_FORMATS = ("tfrecords_gzip", "parquet")
_ON_ERROR = ("raise", "skip")


class ExampleGen(Component):
    """Writes external rows as `Examples`; the base of all ExampleGens.

    Args:
        input_config: The input splits and their patterns.
        output_config: The output splits; by default two thirds train and one third eval, or the
            input's splits if it has several.
        range_config: Which span to take.
        output_file_format: "tfrecords_gzip" or "parquet".
        num_shards: How many shards a split gets; by default as many as its size requires.
        schema: A schema that tags personal features as `PII`, for `personal_data`.
        personal_data: What is done with these features, before rows are divided and written: "drop" them,
            "redact" their texts (numbers become missing), or "hash": put the same pseudonym in the place of
            the same value.
        personal_data_key: The environment variable that holds the key of the pseudonyms.

    Outputs:
        examples: `Split-<name>/` folders, and `row_counts.json` beside them.
    """

    LIBRARIES: ClassVar[Sequence[str]] = ("pyarrow", "tfx-bsl")
    USES_SEED: ClassVar = False
    READS_URLS: ClassVar = True

    input_config: InputConfig | None = None
    output_config: OutputConfig | None = None
    range_config: RangeConfig | None = None
    output_file_format: str = DEFAULT_FILE_FORMAT
    num_shards: int | None = None
    schema: Input[Schema] | None = None
    personal_data: Literal["drop", "redact", "hash"] | None = None
    personal_data_key: str = "PENSTOCK_PERSONAL_DATA_KEY"
    examples: Output[Examples] = output()

    def check(self) -> None:
        """Check the file format, the shards, and that several input splits are not hashed."""
        _check_choice("output_file_format", self.output_file_format, OUTPUT_FILE_FORMATS)
        if isinstance(self.num_shards, int) and self.num_shards < 1:
            raise ValueError(
                f"num_shards must be 1 or more. Received: num_shards={self.num_shards}"
            )
        if (self.schema is None) != (self.personal_data is None):
            raise ValueError(
                "schema and personal_data belong together: the schema says which features are personal, "
                f"personal_data what is done with them. Received: personal_data={self.personal_data!r}, "
                f"{'no schema' if self.schema is None else 'a schema'}"
            )
        if self.personal_data is not None and self.payload() != DEFAULT_PAYLOAD_FORMAT:
            raise ValueError(
                f"personal_data masks features of tf.Examples. Received: payload {self.payload()}"
            )
        inputs, outputs = self._configs()
        names = [split.name for split in inputs.splits]
        if outputs.split_config.splits and len(names) > 1:
            raise ValueError(
                f"output_config divides one input split by hash buckets, but input_config "
                f"has {len(names)}: {names}. Leave output_config out to keep the input's splits."
            )

    def _configs(self) -> tuple[InputConfig, OutputConfig]:
        inputs = self.input_config or InputConfig()
        return inputs, self.output_config or OutputConfig.default_for(inputs)

    def payload(self) -> str:
        """Return the format of the output's records, for the property `payload_format`."""
        return DEFAULT_PAYLOAD_FORMAT

    def _write(
        self, context: ExecutionContext, source: RowSource, quarantine: Quarantine | None = None
    ) -> None:
        """Write the rows of each input split, and set the artifact's properties."""
        from penstock.engines import engine_of

        mask = self._mask(context)
        if mask is not None:
            source = _masked(source, mask)
        counts = engine_of(context).write_examples(
            source,
            self._configs()[1],
            self.examples.uri,
            self.output_file_format,
            num_shards=self.num_shards,
            quarantine=quarantine,
        )
        self._describe(context, list(source.splits), counts)

    def _mask(self, context: ExecutionContext) -> PersonalMask | None:
        if self.schema is None or self.personal_data is None:
            return None
        from penstock.data_validation import load_schema_text
        from penstock.io import personal_features
        from penstock.io.ingestion.personal_data import PersonalMask

        features = personal_features(load_schema_text(self.schema.file))
        key = ""
        if self.personal_data == "hash":
            key = os.environ.get(self.personal_data_key, "")
            if not key:
                raise ValueError(
                    f'personal_data="hash" makes pseudonyms with the key in the environment variable '
                    f"{self.personal_data_key}, which is not set."
                )
        named = ", ".join(sorted(features)) or "none (no feature has the tag PII)"
        context.log.info("Personal features (%s): %s", self.personal_data, named)
        return PersonalMask(features, self.personal_data, key.encode()) if features else None

    def _describe(
        self, context: ExecutionContext, input_splits: list[str], counts: Mapping[str, int]
    ) -> None:
        from penstock.io.ingestion.write_examples import output_splits

        context.log.info("Rows by split: %s", counts)
        context.report_metrics({f"rows/{split}": count for split, count in counts.items()})
        self.examples.splits = output_splits(input_splits, self._configs()[1])
        self.examples.custom_properties.update(
            payload_format=self.payload(), file_format=self.output_file_format
        )


class FileBasedExampleGen(ExampleGen):
    """Reads files into `Examples`; the base of ExampleGens for other file formats.

    A subclass defines `read_rows`. As in TFX, files are found by `input_config`'s patterns, the
    latest span and version are taken, and rows are divided into splits by hash buckets.

    Args:
        input_base: The folder that the patterns are relative to; a path or an fsspec URL.
        input_config: The input splits and their patterns; by default all files make one split.
        output_config: The output splits; by default two thirds train and one third eval, or the
            input's splits if it has several.
        range_config: Which span to take instead of the latest.
        output_file_format: "tfrecords_gzip" or "parquet".
        num_shards: How many shards a split gets; by default as many as its size requires.
        on_error: "raise": a broken row is an error. "skip": it is left out, counted and kept in
            `quarantine/`.

    Outputs:
        examples: `Split-<name>/` folders, and `row_counts.json` beside them.

    Example:
        class JsonLinesExampleGen(FileBasedExampleGen):
            def read_rows(self, files, on_broken=None):
                import pyarrow.json
                tables = (pyarrow.json.read_json(file) for file in files)
                return Rows.of_batches(b for table in tables for b in table.to_batches())
    """

    input_base: ExternalPath
    on_error: str = "raise"

    def check(self) -> None:
        """Check the parameters' values."""
        super().check()
        _check_choice("on_error", self.on_error, _ON_ERROR)

    def external_files(self, resolve: Callable[[str], str]) -> Mapping[str, str]:
        """Return the files that match the patterns."""
        from penstock.io.files.filesystem import canonical
        from penstock.io.ingestion.span_pattern import resolve_input

        base = resolve(self.input_base)
        resolved = resolve_input(base, self._configs()[0], self.range_config)
        root = canonical(base)
        return {
            f"{split}/{file.removeprefix(root).lstrip('/')}": file
            for split, files in resolved.files.items()
            for file in files
        }

    def read_rows(self, files: list[str], on_broken: OnBroken | None = None) -> Iterable[Rows]:
        """Read the files of one input split.

        Rows from `Rows.of_batches` are processed in several processes; rows from any other
        iterable, in one.

        Args:
            files: Paths or URLs, sorted.
            on_broken: Called with each broken row, which is left out; if None, it is an error.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not define read_rows(self, files, on_broken=None)"
        )

    def beam_input(self) -> InputReader:
        """Return how Beam's workers read the input: by default with `read_rows`, one file at a time.

        Subclasses override it if files must agree on something, such as column types.
        """
        from penstock.beam import RowsInput

        return RowsInput(self.read_rows)

    def run(self, context: ExecutionContext) -> None:
        """Find the files, read them and write the splits."""
        from penstock.engines import RowSource
        from penstock.io.ingestion.broken_rows import Quarantine
        from penstock.io.ingestion.span_pattern import resolve_input

        base = context.resolve_path(self.input_base)
        resolved = resolve_input(base, self._configs()[0], self.range_config)
        files = resolved.files
        source = RowSource(
            list(files),
            lambda on_broken: {
                name: self.read_split(name, each, on_broken) for name, each in files.items()
            },
            lambda: self._on_beam(files),
        )
        if self.on_error == "raise":
            self._write(context, source)
        else:
            # What is broken in a row is not known to be free of personal data.
            content = self.personal_data is None
            with Quarantine(self.examples.uri, base, content=content) as quarantine:
                self._write(context, source, quarantine)
            self._report(context, quarantine)
        self._add_input(resolved)

    def _report(self, context: ExecutionContext, quarantine: Quarantine) -> None:
        context.report_metrics({"rows/quarantined": quarantine.rows})
        if quarantine.rows:
            context.log.warning(
                "%d broken rows were left out; they are in %s/quarantine. The first:\n%s",
                quarantine.rows,
                self.examples.uri,
                "\n".join(quarantine.first),
            )

    def read_split(
        self, split: str, files: list[str], on_broken: OnBroken | None = None
    ) -> Iterable[Rows]:
        """Read the files of the named input split; by default with `read_rows`.

        Args:
            split: The input split's name.
            files: Paths or URLs, sorted.
            on_broken: Called with each broken row, which is left out; if None, it is an error.
        """
        # An ExampleGen of your own may leave out the argument as long as nothing is skipped.
        return self.read_rows(files) if on_broken is None else self.read_rows(files, on_broken)

    def _on_beam(self, files: Mapping[str, list[str]]) -> BeamSource | None:
        from penstock.beam import BeamSource

        return BeamSource(files, self._beam_input())

    def _beam_input(self) -> InputReader:
        """Return `beam_input()`, unless a subclass of the class that defines it overrides `read_rows`."""
        kinds = type(self).__mro__
        rows, input_ = (
            next(place for place, kind in enumerate(kinds) if name in vars(kind))
            for name in ("read_rows", "beam_input")
        )
        return FileBasedExampleGen.beam_input(self) if rows < input_ else self.beam_input()

    def _add_input(self, resolved: ResolvedInput) -> None:
        from penstock.io.files.filesystem import file_size

        fingerprint = "\n".join(
            f"split:{split},num_files:{len(files)},total_bytes:{sum(map(file_size, files))}"
            for split, files in resolved.files.items()
        )
        self.examples.custom_properties.update(
            input_fingerprint=fingerprint, span=resolved.span or 0
        )
        if resolved.version is not None:
            self.examples.custom_properties["version"] = resolved.version


def _masked(source: RowSource, mask: PersonalMask) -> RowSource:
    from penstock.engines import RowSource
    from penstock.io.ingestion.personal_data import MaskedInput, masked_splits

    def on_beam() -> BeamSource | None:
        found = source.on_beam()
        return found and found._replace(reader=MaskedInput(found.reader, mask))

    return RowSource(
        source.splits, lambda on_broken: masked_splits(source.rows(on_broken), mask), on_beam
    )


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {list(allowed)}. Received: {name}={value!r}")
