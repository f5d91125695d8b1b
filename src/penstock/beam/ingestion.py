"""Ingestion on Beam: files into the split folders of an Examples artifact, every row accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam

from penstock.beam.exchange import Exchange
from penstock.beam.pipeline_options import Engine
from penstock.beam.shard_files import (
    shard_url,
    write_row_counts,
    written_whole,
)
from penstock.beam.shard_readers import InputReader, Part, batch_from_bytes, batch_to_bytes
from penstock.io.files import file_size
from penstock.io.ingestion import output_splits

if TYPE_CHECKING:
    from penstock.io.example_gen_config import Output
    from penstock.io.ingestion import Rows

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
    engine: Engine,
    files_by_split: Mapping[str, Sequence[str]],
    reader: InputReader,
    output: Output,
    uri: str,
    file_format: str = "tfrecords_gzip",
    *,
    num_shards: int | None = None,
) -> dict[str, int]:
    """Reads files on Beam's workers and writes the output's splits, in shards.

    The shards hold the rows in the order of the input, so they are the same however often a bundle
    is retried. `row_counts.json` beside them holds the rows of each split.

    Args:
        engine: Where to run.
        files_by_split: The files of each input split; every worker must reach them.
        reader: How to read them.
        output: How to divide the rows.
        uri: The folder of the Examples artifact; every worker must reach it.
        file_format: "tfrecords_gzip", "tfrecords" or "parquet".
        num_shards: How many shards a split gets; by default as many as the input's size asks for.

    Returns:
        The number of rows of each output split.

    Raises:
        ValueError: If no row came in.
        RuntimeError: If fewer or more rows were written than came in, or the pipeline failed.
    """
    splits = output_splits(list(files_by_split), output)
    files = [
        _File(number, split, path)
        for split, paths in files_by_split.items()
        for number, path in enumerate(paths)
    ]
    engine.check_reachable([uri, *(file.path for file in files)])
    size = sum(file_size(file.path) for file in files)
    shards = num_shards or max(1, -(-size // INPUT_BYTES_A_SHARD))
    with Exchange(uri) as exchange:
        with engine.pipeline() as pipeline:
            listed = pipeline | "Files" >> beam.Create(files) | "SpreadFiles" >> beam.Reshuffle()
            plans = beam.pvalue.AsSingleton(
                listed
                | "Survey" >> beam.Map(_survey, reader)
                | "Surveys" >> beam.combiners.ToList()
                | "Plan" >> beam.Map(_plan, reader)
            )
            parts = (
                listed
                | "Read" >> beam.FlatMap(_read, reader, plans)
                | "SpreadParts" >> beam.Reshuffle()
            )
            divided = parts | "Divide" >> beam.ParDo(
                _Divide(reader, output, shards, file_format), plans
            ).with_outputs(_Divide.READ, main="pieces")
            # Every shard gets a file, also one without rows.
            empty = pipeline | "AllShards" >> beam.Create(
                [((split, shard), None) for split in splits for shard in range(shards)]
            )
            written = (
                (divided.pieces, empty)
                | beam.Flatten()
                | "ByShard" >> beam.GroupByKey()
                | "Write" >> beam.ParDo(_WriteShard(uri, shards, file_format))
            )
            read = divided[_Divide.READ] | "CountRead" >> beam.CombinePerKey(sum)
            written = written | "CountWritten" >> beam.CombinePerKey(sum)
            _ = (
                ({"read": read, "written": written})
                | "Collect" >> _Collect()
                | "Keep" >> exchange.keep()
            )
        counts = {split: exchange.read("written", {}).get(split, 0) for split in splits}
        rows_in = sum(exchange.read("read", {}).values())
    rows_out = sum(counts.values())
    if rows_in != rows_out:
        raise RuntimeError(f"{rows_in} rows came in and {rows_out} were written to {uri}.")
    if not rows_in:
        raise ValueError(f"There was no row to write to {uri}. Look at the input files.")
    write_row_counts(uri, counts)
    return counts


class _Collect(beam.PTransform):  # type: ignore[misc]
    """Makes of several (key, number) collections one (name, {key: number}) each."""

    def expand(self, counted: Mapping[str, beam.PCollection]) -> beam.PCollection:
        return [
            counts
            | f"List_{name}" >> beam.combiners.ToDict()
            | f"Name_{name}" >> beam.Map(lambda found, name=name: (name, found))
            for name, counts in counted.items()
        ] | beam.Flatten()


def _survey(file: _File, reader: InputReader) -> tuple[str, int, Any]:
    return file.split, file.number, reader.survey(file.path)


def _plan(surveys: Iterable[tuple[str, int, Any]], reader: InputReader) -> dict[str, Any]:
    """Makes a plan for each input split."""
    by_split: dict[str, list[tuple[int, Any]]] = {}
    for split, number, survey in surveys:
        by_split.setdefault(split, []).append((number, survey))
    return {
        split: reader.plan([survey for _, survey in sorted(found, key=lambda each: each[0])])
        for split, found in by_split.items()
    }


def _read(file: _File, reader: InputReader, plans: Mapping[str, Any]) -> Iterator[_Numbered]:
    for number, part in enumerate(reader.parts(file.path, plans[file.split])):
        yield _Numbered(file.number, number, file.split, part)


class _Divide(beam.DoFn):  # type: ignore[misc]
    """Converts the rows of a part and assigns each to its output split and shard."""

    READ = "read"

    def __init__(self, reader: InputReader, output: Output, shards: int, file_format: str) -> None:
        self._reader = reader
        self._output = output
        self._shards = shards
        self._parquet = file_format == "parquet"

    def setup(self) -> None:
        from penstock.io.hash_split import HashSplitter

        config = self._output.split_config
        self._splitter = HashSplitter(config) if config.splits else None

    def process(self, element: _Numbered, plans: Mapping[str, Any]) -> Iterator[Any]:
        rows_read = 0
        found = self._reader.rows(element.part, plans[element.split])
        for number, rows in enumerate(found):
            rows_read += rows.batch.num_rows
            shard = (element.file + element.number + number) % self._shards
            for split, count, content in self._by_split(rows, element.split):
                piece = _Piece(element.file, element.number, number, count, content)
                yield (split, shard), piece
        yield beam.pvalue.TaggedOutput(self.READ, (element.split, rows_read))

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
        from penstock.io.arrow_arrays import booleans

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
        self, element: tuple[tuple[str, int], Iterable[_Piece | None]]
    ) -> Iterator[tuple[str, int]]:
        (split, shard), found = element
        pieces = sorted(piece for piece in found if piece is not None)
        contents = [content for piece in pieces for content in piece.content]
        parquet = self._file_format == "parquet"
        name = "data_parquet" if parquet else "data_tfrecord"
        url = shard_url(self._uri, split, name, shard, self._shards, self._file_format)
        with written_whole(url) as path:
            if parquet:
                rows = _write_parquet(path, contents)
            else:
                rows = _write_records(path, contents, self._file_format)
        expected = sum(piece.rows for piece in pieces)
        if rows != expected:
            raise RuntimeError(f"{url}: {expected} rows belong there and {rows} were written.")
        yield split, rows


def _write_records(path: str, records: Sequence[bytes], file_format: str) -> int:
    from penstock.io import TFRecordWriter

    with TFRecordWriter(path, "GZIP" if file_format == "tfrecords_gzip" else "") as writer:
        if records:
            writer.write_all(records)
    return len(records)


def _write_parquet(path: str, contents: Sequence[bytes]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    batches = [batch_from_bytes(content) for content in contents]
    schema = batches[0].schema if batches else pa.schema([])
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sum(batch.num_rows for batch in batches)
