"""Ingestion on Beam: files into the split folders of an Examples artifact, every row accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT
from penstock.beam.exchange import Exchange
from penstock.beam.pipeline_options import BeamSetup
from penstock.beam.quarantine import (
    BROKEN,
    PLANNING,
    READING,
    BrokenRows,
    CollectBroken,
    broken_rows,
)
from penstock.beam.shard_readers import (
    InputReader,
    Part,
    batch_to_bytes,
    schema_from_bytes,
)
from penstock.io.examples.formats import file_format_named
from penstock.io.examples.shard_files import (
    shard_url,
    write_row_counts,
    written_whole,
)
from penstock.io.files.filesystem import file_size
from penstock.io.ingestion.write_examples import check_rows_written, output_splits

if TYPE_CHECKING:
    from penstock.io.ingestion.broken_rows import Quarantine
    from penstock.io.ingestion.config import Output
    from penstock.io.ingestion.write_examples import Rows

INPUT_BYTES_A_SHARD = 32 << 20
"""Input of an output shard, about; a worker holds a shard in memory to write its rows in order."""


class _File(NamedTuple):
    number: int
    split: str
    path: str


class _Numbered(NamedTuple):
    """A part with its place in the input: rows are written in this order."""

    file: int
    number: int
    split: str
    part: Part


class _Piece(NamedTuple):
    """Rows that belong to one output shard, with their place in the input."""

    file: int
    part: int
    number: int
    rows: int
    content: list[bytes]


def write_examples_on_beam(
    engine: BeamSetup,
    files_by_split: Mapping[str, Sequence[str]],
    reader: InputReader,
    output: Output,
    uri: str,
    file_format: str = DEFAULT_FILE_FORMAT,
    *,
    num_shards: int | None = None,
    input_size: int | None = None,
    quarantine: Quarantine | None = None,
) -> dict[str, int]:
    """Read files on Beam's workers and write the output's splits, in shards.

    The shards hold the rows in the order of the input, so they are the same however often a bundle
    is retried. `row_counts.json` beside them holds the rows of each split.

    Args:
        engine: Where to run.
        files_by_split: The files of each input split, which every worker must reach; or what else
            `reader` reads.
        reader: How to read them.
        output: How to divide the rows.
        uri: The folder of the Examples artifact; every worker must reach it.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        num_shards: How many shards a split gets; by default as many as the input's size asks for.
        input_size: The input's bytes, about, where it is no files.
        quarantine: Where broken rows go, in the order in which the local driver meets them; their
            number is written into `row_counts.json`. None: a broken row is an error.

    Returns:
        The number of rows of each output split.

    Raises:
        ValueError: If no row came in.
        RuntimeError: If fewer or more rows were written than came in, or the pipeline failed.
    """
    splits = output_splits(list(files_by_split), output)
    listed = [(split, path) for split, paths in files_by_split.items() for path in paths]
    files = [_File(number, split, path) for number, (split, path) in enumerate(listed)]
    engine.check_reachable([uri])
    if input_size is None:
        engine.check_reachable(file.path for file in files)
        input_size = sum(file_size(file.path) for file in files)
    shards = num_shards or max(1, -(-input_size // INPUT_BYTES_A_SHARD))
    skip = quarantine is not None
    with Exchange(uri) as exchange:
        with engine.pipeline() as pipeline:
            spread = pipeline | "Files" >> beam.Create(files) | "SpreadFiles" >> beam.Reshuffle()
            surveyed = spread | "Survey" >> _tagged(_Survey(reader, skip), BROKEN)
            planned = (
                surveyed.main
                | "Surveys" >> beam.combiners.ToList()
                | "Plan" >> _tagged(_Plan(reader, skip), BROKEN)
            )
            plans = beam.pvalue.AsSingleton(planned.main)
            parts = spread | "Read" >> _tagged(_Read(reader, skip), BROKEN, plans)
            divided = (
                parts.main
                | "SpreadParts" >> beam.Reshuffle()
                | "Divide"
                >> beam.ParDo(
                    _Divide(reader, output, shards, file_format, skip), plans
                ).with_outputs(_Divide.READ, _Divide.SCHEMA, BROKEN, main="main")
            )
            # Every shard gets a file, also one without rows.
            empty = pipeline | "AllShards" >> beam.Create(
                [((split, shard), None) for split in splits for shard in range(shards)]
            )
            schemas = beam.pvalue.AsDict(
                divided[_Divide.SCHEMA] | "Schemas" >> beam.CombinePerKey(min)
            )
            written = (
                (divided.main, empty)
                | beam.Flatten()
                | "ByShard" >> beam.GroupByKey()
                | "Write" >> beam.ParDo(_WriteShard(uri, shards, file_format), schemas)
            )
            read = divided[_Divide.READ] | "CountRead" >> beam.CombinePerKey(sum)
            written = written | "CountWritten" >> beam.CombinePerKey(sum)
            broken = [each[BROKEN] for each in (surveyed, planned, parts, divided)]
            _ = (
                (
                    {"read": read, "written": written} | "Collect" >> _Collect(),
                    broken | "AllBroken" >> beam.Flatten() | "Broken" >> CollectBroken(),
                )
                | "Results" >> beam.Flatten()
                | "Keep" >> exchange.keep()
            )
        counts = {split: exchange.read("written", {}).get(split, 0) for split in splits}
        rows_in = sum(exchange.read("read", {}).values())
        if quarantine is not None:
            numbers = [[file.number for file in files if file.split == s] for s in files_by_split]
            for row in broken_rows(exchange, numbers):
                quarantine(row)
    check_rows_written(rows_in, counts, uri, quarantine)
    write_row_counts(uri, counts, None if quarantine is None else quarantine.rows)
    return counts


def _tagged(work: beam.DoFn, tag: str, *side_inputs: Any) -> beam.PTransform:
    return beam.ParDo(work, *side_inputs).with_outputs(tag, main="main")


class _Collect(beam.PTransform):  # type: ignore[misc]
    """Makes of several (key, number) collections one (name, {key: number}) each."""

    def expand(self, counted: Mapping[str, beam.PCollection]) -> beam.PCollection:
        return [
            counts
            | f"List_{name}" >> beam.combiners.ToDict()
            | f"Name_{name}" >> beam.Map(lambda found, name=name: (name, found))
            for name, counts in counted.items()
        ] | beam.Flatten()


class _Survey(beam.DoFn):  # type: ignore[misc]
    def __init__(self, reader: InputReader, skip: bool) -> None:
        self._reader = reader
        self._skip = skip

    def process(self, file: _File) -> Iterator[Any]:
        broken = BrokenRows(self._skip)
        yield file, self._reader.survey(file.path, broken.on_broken)
        yield from broken.outputs(PLANNING, file.number, converted=False)


class _Plan(beam.DoFn):  # type: ignore[misc]
    """Makes a plan for each input split."""

    def __init__(self, reader: InputReader, skip: bool) -> None:
        self._reader = reader
        self._skip = skip

    def process(self, surveys: Sequence[tuple[_File, Any]]) -> Iterator[Any]:
        by_split: dict[str, list[tuple[_File, Any]]] = {}
        for file, survey in sorted(surveys, key=lambda each: each[0].number):
            by_split.setdefault(file.split, []).append((file, survey))
        plans = {}
        for split, found in by_split.items():
            broken = BrokenRows(self._skip)
            numbers = {file.path: file.number for file, _ in found}
            plans[split] = self._reader.plan([survey for _, survey in found], broken.on_broken)
            yield from broken.outputs(PLANNING, numbers, converted=True)
        yield plans


class _Read(beam.DoFn):  # type: ignore[misc]
    def __init__(self, reader: InputReader, skip: bool) -> None:
        self._reader = reader
        self._skip = skip

    def process(self, file: _File, plans: Mapping[str, Any]) -> Iterator[Any]:
        broken = BrokenRows(self._skip)
        number = 0
        for part in self._reader.parts(file.path, plans[file.split], broken.on_broken):
            yield _Numbered(file.number, number, file.split, part)
            yield from broken.outputs(READING, file.number, number, converted=False)
            number += 1
        yield from broken.outputs(READING, file.number, number, converted=False)


class _Divide(beam.DoFn):  # type: ignore[misc]
    """Converts the rows of a part and assigns each to its output split and shard."""

    READ, SCHEMA = "read", "schema"

    def __init__(
        self, reader: InputReader, output: Output, shards: int, file_format: str, skip: bool
    ) -> None:
        self._reader = reader
        self._skip = skip
        self._output = output
        self._shards = shards
        self._parquet = file_format == "parquet"

    def setup(self) -> None:
        from penstock.io.ingestion.hash_split import HashSplitter

        config = self._output.split_config
        self._splitter = HashSplitter(config) if config.splits else None

    def process(self, element: _Numbered, plans: Mapping[str, Any]) -> Iterator[Any]:
        rows_read = 0
        broken = BrokenRows(self._skip)
        found = self._reader.rows(element.part, plans[element.split], broken.on_broken)
        for number, rows in enumerate(found):
            rows_read += rows.batch.num_rows
            if self._parquet and not number:
                schema = rows.batch.schema.serialize().to_pybytes()
                yield beam.pvalue.TaggedOutput(self.SCHEMA, (element.split, schema))
            shard = (element.file + element.number + number) % self._shards
            for split, count, content in self._by_split(rows, element.split):
                piece = _Piece(element.file, element.number, number, count, content)
                yield (split, shard), piece
        yield beam.pvalue.TaggedOutput(self.READ, (element.split, rows_read))
        yield from broken.outputs(READING, element.file, element.number, converted=True)

    def _by_split(self, rows: Rows, split: str) -> Iterator[tuple[str, int, list[bytes]]]:
        if self._splitter is None:
            yield split, rows.batch.num_rows, self._content(rows, None)
            return
        places = self._splitter.assign(rows.batch, rows.records)
        for place, name in enumerate(self._splitter.names):
            chosen = places == place
            if chosen.any():
                yield name, int(chosen.sum()), self._content(rows, chosen)

    def _content(self, rows: Rows, chosen: Any) -> list[bytes]:
        from penstock.io.arrow.arrays import booleans

        if self._parquet:
            batch = rows.batch if chosen is None else rows.batch.filter(booleans(chosen))
            return [batch_to_bytes(batch)]
        if chosen is None:
            return list(rows.records)
        return [record for record, keep in zip(rows.records, chosen.tolist(), strict=True) if keep]


class _WriteShard(beam.DoFn):  # type: ignore[misc]
    """Writes a shard's rows in the order of the input, and counts them."""

    def __init__(self, uri: str, shards: int, file_format: str) -> None:
        self._uri = uri
        self._shards = shards
        self._file_format = file_format

    def process(
        self, element: tuple[tuple[str, int], Iterable[_Piece | None]], schemas: Mapping[str, bytes]
    ) -> Iterator[tuple[str, int]]:
        (split, shard), found = element
        pieces = sorted(piece for piece in found if piece is not None)
        contents = [content for piece in pieces for content in piece.content]
        parquet = self._file_format == "parquet"
        name = "data_parquet" if parquet else "data_tfrecord"
        url = shard_url(self._uri, split, name, shard, self._shards, self._file_format)
        with written_whole(url) as path:
            if parquet:
                rows = _write_parquet(path, contents, _schema_of(split, schemas))
            else:
                rows = _write_records(path, contents, self._file_format)
        expected = sum(piece.rows for piece in pieces)
        if rows != expected:
            raise RuntimeError(f"{url}: {expected} rows belong there and {rows} were written.")
        yield split, rows


def _schema_of(split: str, schemas: Mapping[str, bytes]) -> bytes | None:
    """Return the columns of an output split: those of the input's split, or of any other."""
    return schemas.get(split) or min(schemas.values(), default=None)


def _write_records(path: str, records: Sequence[bytes], file_format: str) -> int:
    from penstock.io import TFRecordWriter

    with TFRecordWriter(path, file_format_named(file_format).compression or "") as writer:
        if records:
            writer.write_all(records)
    return len(records)


def _write_parquet(path: str, contents: Sequence[bytes], known: bytes | None) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from penstock.io.arrow.batch_stream import batch_of

    batches = [batch_of(content) for content in contents]
    if batches:
        schema = batches[0].schema
    else:
        schema = schema_from_bytes(known) if known else pa.schema([])
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sum(batch.num_rows for batch in batches)
