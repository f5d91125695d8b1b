"""Applying a transform graph on Beam: transformed shards, and kernels over them."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT
from penstock.beam.exchange import Exchange
from penstock.beam.kernels import KernelCombineFn, MakeKernel, Sample, Total
from penstock.beam.pipeline_options import BeamSetup
from penstock.beam.statistics import sampled
from penstock.io import TFRecordWriter
from penstock.io.examples.formats import file_format_named
from penstock.io.examples.shard_files import shard_url, write_row_counts, written_whole
from penstock.io.examples.split_shards import ParquetShard
from penstock.io.files.plain_path import plain_path

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.io import ExamplesSplit

DEFAULT_BATCH_SIZE = 10_000
_ROWS, _BEFORE, _AFTER = "rows", "before", "after"


class _Shard(NamedTuple):
    number: int
    shards: int
    split: str
    source: ExamplesSplit


class Observed(NamedTuple):
    """What is to be computed over batches on the way.

    Args:
        make_kernel: Makes an empty kernel; picklable.
        sample_rate: The fraction of rows that it sees; None for all.
    """

    make_kernel: MakeKernel
    sample_rate: float | None = None


class Transformed(NamedTuple):
    """What was transformed.

    Args:
        rows: The rows of each split.
        before: What was computed over the raw rows of the splits to observe; None if nothing was.
        after: The same over all transformed rows.
    """

    rows: Mapping[str, int]
    before: Total | None
    after: Total | None


def transform_on_beam(
    engine: BeamSetup,
    shards: Mapping[str, ExamplesSplit],
    schema: schema_pb2.Schema,
    transform_graph_uri: str,
    transformed_examples_uri: str | None,
    exchange_folder: str,
    *,
    file_format: str = DEFAULT_FILE_FORMAT,
    observe_raw: tuple[Mapping[str, ExamplesSplit], Observed] | None = None,
    observe_transformed: Observed | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
) -> Transformed:
    """Transform the shards of each split and write one transformed shard for each.

    Args:
        engine: Where to run.
        shards: The raw shards of each split.
        schema: Schema of the raw examples.
        transform_graph_uri: What Transform's analysis wrote; every worker must reach it.
        transformed_examples_uri: Where to write; None writes nothing.
        exchange_folder: A folder that every worker and this process reach, for the results.
        file_format: How transformed examples are stored.
        observe_raw: What to compute over raw rows, and the splits they are in.
        observe_transformed: What to compute over all transformed rows.
        batch_size: Rows a batch, at most.

    Raises:
        RuntimeError: If the rows written are not the rows read, or the pipeline failed.
    """
    engine.check_reachable(
        [transform_graph_uri, *(file for each in shards.values() for file in each.files)]
    )
    apply = _Transform(
        schema.SerializeToString(),
        transform_graph_uri,
        transformed_examples_uri,
        file_format,
        batch_size,
        observe_transformed.sample_rate if observe_transformed else None,
    )
    with Exchange(exchange_folder) as exchange:
        with engine.pipeline() as pipeline:
            done = (
                pipeline
                | "Shards" >> beam.Create(_listed(shards))
                | "Spread" >> beam.Reshuffle()
                | "Transform" >> beam.ParDo(apply).with_outputs(_Transform.ROWS, main="samples")
            )
            results = [
                done[_Transform.ROWS]
                | "Count" >> beam.CombinePerKey(sum)
                | "Rows" >> beam.combiners.ToDict()
                | "NameRows" >> beam.Map(lambda rows: (_ROWS, rows))
            ]
            if observe_transformed is not None:
                combine = KernelCombineFn(observe_transformed.make_kernel)
                results.append(done.samples | "Combine" >> beam.CombinePerKey(combine))
            if observe_raw is not None:
                results.append(
                    pipeline | "Observe" >> _ObserveRaw(*observe_raw, schema, batch_size)
                )
            _ = results | beam.Flatten() | "Keep" >> exchange.keep()
        rows = exchange.read(_ROWS, {})
        before = _total(exchange, _BEFORE, observe_raw[1] if observe_raw else None)
        after = _total(exchange, _AFTER, observe_transformed)
    if after is not None and after.rows != sum(rows.values()):
        raise RuntimeError(
            f"Transform read {sum(rows.values())} rows, but its statistics saw {after.rows}."
        )
    counts = {split: rows.get(split, 0) for split in shards}
    if transformed_examples_uri is not None:
        write_row_counts(transformed_examples_uri, counts)
    return Transformed(counts, before, after)


def _total(exchange: Exchange, name: str, observed: Observed | None) -> Total | None:
    if observed is None:
        return None
    total: Total | None = exchange.read(name)
    return Total(observed.make_kernel().result(), 0) if total is None else total


def _listed(shards: Mapping[str, ExamplesSplit]) -> list[_Shard]:
    return [
        _Shard(number, len(each.files), split, one)
        for split, each in shards.items()
        for number, one in enumerate(split_by_file(each))
    ]


class _ObserveRaw(beam.PTransform):  # type: ignore[misc]
    """What is computed over raw rows, in the columns and types of the schema."""

    def __init__(
        self,
        shards: Mapping[str, ExamplesSplit],
        observed: Observed,
        schema: schema_pb2.Schema,
        batch_size: int,
    ) -> None:
        super().__init__()
        self._shards = shards
        self._observed = observed
        self._schema = schema.SerializeToString()
        self._batch_size = batch_size

    def expand(self, pipeline: Any) -> Any:
        """Read and combine shards."""
        make_kernel, sample_rate = self._observed
        return (
            pipeline
            | "RawShards" >> beam.Create(_listed(self._shards))
            | "SpreadRaw" >> beam.Reshuffle()
            | "ReadRaw" >> beam.FlatMap(_raw_samples, self._schema, self._batch_size, sample_rate)
            | "CombineRaw" >> beam.CombinePerKey(KernelCombineFn(make_kernel))
        )


def _raw_samples(
    shard: _Shard, schema: bytes, batch_size: int, rate: float | None
) -> Iterator[tuple[str, Sample]]:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.transform.features import RawFeatures
    from penstock.transform.shards import shard_reader

    features = RawFeatures(schema_pb2.Schema.FromString(schema), shard.source.payload_format)
    read = shard_reader(features, batch_size)
    for sample in sampled(read(shard.source), rate, shard.number):
        yield _BEFORE, sample


def split_by_file(shards: ExamplesSplit) -> list[ExamplesSplit]:
    """Return one description per file, so that several workers share a split."""
    return [dataclasses.replace(shards, files=[file]) for file in shards.files]


class _Transform(beam.DoFn):  # type: ignore[misc]
    ROWS = "rows"

    def __init__(
        self,
        schema: bytes,
        transform_graph_uri: str,
        transformed_examples_uri: str | None,
        file_format: str,
        batch_size: int,
        sample_rate: float | None,
    ) -> None:
        self._schema = schema
        self._graph = transform_graph_uri
        self._output = transformed_examples_uri
        self._format = file_format_named(file_format)
        self._batch_size = batch_size
        self._sample_rate = sample_rate
        self._job = uuid.uuid4().hex

    def process(self, shard: _Shard) -> Iterator[Any]:
        if self._output is None:
            yield from self._apply(shard, None)
            return
        url = shard_url(
            self._output,
            shard.split,
            "transformed_examples",
            shard.number,
            shard.shards,
            self._format.name,
        )
        with written_whole(url) as path, self._writer(path, shard) as writer:
            yield from self._apply(shard, writer)

    def _writer(self, path: str, shard: _Shard) -> TFRecordWriter | ParquetShard:
        if self._format.compression is None:
            return ParquetShard(path, self._applied(shard).arrow_schema)
        return TFRecordWriter(path, self._format.compression)

    def _applied(self, shard: _Shard) -> _Applied:
        payload_format = shard.source.payload_format
        return _applied(self._job, self._schema, payload_format, self._graph, self._batch_size)

    def _apply(self, shard: _Shard, writer: TFRecordWriter | ParquetShard | None) -> Iterator[Any]:
        applied = self._applied(shard)
        rows_read = 0

        def batches() -> Iterator[pa.RecordBatch]:
            nonlocal rows_read
            for rows, batch in applied.batches(shard.source):
                rows_read += rows
                if isinstance(writer, ParquetShard):
                    writer.write_batch(applied.columns(batch))
                elif writer is not None:
                    records = applied.serialize(batch)
                    if len(records) != rows:
                        raise RuntimeError(
                            f"{list(shard.source.files)}: {rows} rows became {len(records)} records."
                        )
                    writer.write_all(records)
                yield batch

        for sample in sampled(batches(), self._sample_rate, shard.number):
            yield _AFTER, sample
        yield beam.pvalue.TaggedOutput(self.ROWS, (shard.split, rows_read))


class _Applied:
    """A transform graph that was loaded in this worker process."""

    def __init__(self, schema: bytes, payload_format: str, graph: str, batch_size: int) -> None:
        from penstock.transform import import_tensorflow_transform

        import_tensorflow_transform()
        import tensorflow as tf
        import tensorflow_transform as tft
        from tensorflow_metadata.proto.v0 import schema_pb2

        from penstock.transform.features import RawFeatures
        from penstock.transform.shards import shard_reader
        from penstock.transform.transformed_examples import TransformedExamples

        output = tft.TFTransformOutput(plain_path(graph))
        self._features = RawFeatures(schema_pb2.Schema.FromString(schema), payload_format)
        self._read = shard_reader(self._features, batch_size)
        self._examples = TransformedExamples(output.transformed_metadata.schema)
        self.serialize: Callable[[pa.RecordBatch], list[bytes]] = self._examples.serialize
        self.columns: Callable[[pa.RecordBatch], pa.RecordBatch] = self._examples.columns
        self.arrow_schema: pa.Schema = self._examples.columns_schema
        self._apply = tf.function(
            output.transform_raw_features, input_signature=[dict(self._features.type_specs)]
        )

    def batches(self, source: ExamplesSplit) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the raw rows and the transformed batch of each raw batch."""
        from penstock.transform.features import explained_failures

        for raw in self._read(source):
            if raw.num_rows:
                with explained_failures(self._features, raw.num_rows):
                    tensors = self._apply(self._features.tensors(raw))
                yield raw.num_rows, self._examples.batch(tensors, raw.num_rows)


@functools.lru_cache(maxsize=2)
def _applied(job: str, schema: bytes, payload_format: str, graph: str, batch_size: int) -> _Applied:
    """Load a graph once for a process and job: it takes seconds.

    In the next job of the same process another graph may lie in the same folder.
    """
    return _Applied(schema, payload_format, graph, batch_size)
