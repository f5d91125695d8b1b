"""Transform: analyze data, write the transform graph, transform data."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.transform.imports import import_tensorflow_transform
from penstock.transform.shards import (
    BLOCKS_WORTH_A_PROCESS,
    BatchObserver,
    Shards,
    SplitReader,
    shard_reader,
)
from penstock.transform.spool import BatchSpool
from penstock.transform.transform_graph import (
    AnalysisFallback,
    WrittenGraph,
    analyze_elsewhere,
    analyze_locally,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.transform.features import RawFeatures

DEFAULT_BATCH_SIZE = 10_000


@dataclasses.dataclass(frozen=True)
class TransformResult:
    """What a Transform did.

    Attributes:
        transformed_schema: schema of the transformed features.
        rows_analyzed: rows of each split that was read for analysis.
        rows_transformed: rows of each split that was transformed.
        phases: passes over the analyzed data; None where the fallback made them.
    """

    transformed_schema: schema_pb2.Schema
    rows_analyzed: Mapping[str, int]
    rows_transformed: Mapping[str, int]
    phases: int | None


def transform(
    *,
    preprocessing_fn: Callable[..., Any],
    schema: schema_pb2.Schema,
    analyze: Mapping[str, Shards | Sequence[Shards]],
    transform: Mapping[str, Shards | Sequence[Shards]],
    transform_graph_dir: str,
    transformed_examples_dir: str | None = None,
    custom_config: Mapping[str, Any] | None = None,
    analyzer_cache_dirs: Sequence[str] = (),
    updated_analyzer_cache_dir: str | None = None,
    force_tf_compat_v1: bool = False,
    batch_size: int = DEFAULT_BATCH_SIZE,
    temp_dir: str | None = None,
    on_raw_batch: BatchObserver | None = None,
    on_transformed_batch: BatchObserver | None = None,
    fallback: AnalysisFallback | None = None,
    prefer_fallback: bool = False,
) -> TransformResult:
    """Runs a `preprocessing_fn` over data: TensorFlow Transform without Beam.

    The function is traced, its `tft.*` analyzers are run in as few passes over the data as their
    dependencies allow, and the transform graph is written as TensorFlow Transform writes it, so that
    `tft.TFTransformOutput(transform_graph_dir)` reads it. Memory is bounded by a batch and by what
    the analyzers accumulate.

    Args:
        preprocessing_fn: takes a dict of tensors by feature name (and `custom_config`, if it has such
            a parameter) and returns a dict of tensors with dtype int64, float32 or string.
        schema: schema of the raw examples.
        analyze: the splits that analyzers see, by name. A split may lie in several places (the spans
            of a rolling window): then each has accumulators of its own in the cache.
        transform: the splits that are transformed, by name.
        transform_graph_dir: local folder for `transform_fn/`, `metadata/` and
            `transformed_metadata/`.
        transformed_examples_dir: local folder for `Split-<name>/transformed_examples-*.gz`, or None
            to write none.
        custom_config: handed to `preprocessing_fn`.
        analyzer_cache_dirs: what earlier runs wrote as `updated_analyzer_cache_dir`; a split whose
            accumulators are all there is not read for analysis.
        updated_analyzer_cache_dir: local folder for the accumulators of `analyze`, or None to keep
            none.
        force_tf_compat_v1: trace as a TensorFlow 1 graph, on Beam.
        batch_size: rows a batch, at most.
        temp_dir: where vocabularies are kept until they are exported; by default the system's.
        on_raw_batch: sees each raw batch of `analyze` once, e.g. to compute statistics.
        on_transformed_batch: sees each transformed batch of `transform` once.
        fallback: runs the analysis where the local driver cannot, such as analyzers that are PTransforms
            (`tft.experimental.ptransform_analyzer`); by default `penstock.beam.AnalyzeOnBeam()`, Beam in
            this process. The log says so when it is used.
        prefer_fallback: analyze with `fallback` in any case, e.g. on a cluster.

    Raises:
        ValueError: if there is nothing to analyze, or rows out differ from rows in.
        Exception: whatever `preprocessing_fn` raises, with a note of the features it received.

    Example:
        result = transform(
            preprocessing_fn=preprocessing_fn,
            schema=schema,
            analyze={"train": Shards(train_files)},
            transform={"train": Shards(train_files), "eval": Shards(eval_files)},
            transform_graph_dir="/tmp/graph",
            transformed_examples_dir="/tmp/transformed",
        )
        result.rows_transformed   # {"train": 234, "eval": 100}
    """
    import_tensorflow_transform()
    from penstock.io.processes.shard_processes import kept_processes
    from penstock.transform.analyzer_cache import AnalyzerCache
    from penstock.transform.export import write_schema
    from penstock.transform.features import RawFeatures
    from penstock.transform.preprocessing import bind_preprocessing_fn

    if not analyze:
        raise ValueError("Transform needs at least one split to analyze. Received: analyze={}")
    bound = bind_preprocessing_fn(preprocessing_fn, custom_config)
    to_analyze = _listed(analyze)
    payload_format = to_analyze[0][1].payload_format
    features = RawFeatures(schema, payload_format)
    read = shard_reader(features, batch_size, processes=None)
    materialize = transformed_examples_dir is not None or on_transformed_batch is not None
    to_transform = _listed(transform) if materialize else []
    with (
        kept_processes(),
        tempfile.TemporaryDirectory(prefix="transform-", dir=temp_dir) as scratch,
        contextlib.ExitStack() as opened,
    ):
        analyzed = [
            SplitReader(
                split,
                shards,
                read,
                on_raw_batch,
                BatchSpool(f"{scratch}/raw-{number}.arrow")
                if (split, shards) in to_transform
                else None,
            )
            for number, (split, shards) in enumerate(to_analyze)
        ]
        readers = [
            analyzed[to_analyze.index(each)] if each in to_analyze else SplitReader(*each, read)
            for each in to_transform
        ]
        for reader in [*analyzed, *readers]:
            opened.callback(reader.close)
        write_schema(schema, f"{transform_graph_dir}/metadata")
        graph = None
        cache = AnalyzerCache(analyzer_cache_dirs, updated_analyzer_cache_dir)
        keys = [cache.key(split, shards, schema) for split, shards in to_analyze]
        if not (force_tf_compat_v1 or prefer_fallback):
            data_sets = list(zip(keys, analyzed, strict=True))
            # Other processes start, and decode, while this one traces.
            analyzed[0].begin()
            for reader in [each for each in readers if each not in analyzed][:1]:
                reader.begin()
            graph = analyze_locally(bound, features, data_sets, cache, transform_graph_dir, scratch)
        if graph is None:
            if fallback is None:
                from penstock.beam import AnalyzeOnBeam

                fallback = AnalyzeOnBeam()
            graph = analyze_elsewhere(
                bound,
                features,
                [(key, shards) for key, (_, shards) in zip(keys, to_analyze, strict=True)],
                cache,
                transform_graph_dir,
                scratch,
                shard_reader(features, batch_size),
                fallback,
                force_tf_compat_v1,
            )
        if on_raw_batch is not None:
            for reader in analyzed:
                reader.exhaust()
        rows_analyzed = _count_rows(analyzed)
        rows_transformed: dict[str, int] = {}
        if materialize:
            rows_transformed = _transform_splits(
                graph, features, readers, transformed_examples_dir, on_transformed_batch
            )
    return TransformResult(
        transformed_schema=graph.schema,
        rows_analyzed=rows_analyzed,
        rows_transformed=rows_transformed,
        phases=graph.phases,
    )


def _listed(
    splits: Mapping[str, Shards | Sequence[Shards]],
) -> list[tuple[str, Shards]]:
    """Each place of each split, in order."""
    return [
        (split, shards)
        for split, places in splits.items()
        for shards in ([places] if isinstance(places, Shards) else places)
    ]


def _count_rows(readers: Sequence[SplitReader]) -> dict[str, int]:
    rows: Counter[str] = Counter()
    for reader in readers:
        if reader.rows is not None:
            rows[reader.split] += reader.rows
    return dict(rows)


def _transform_splits(
    graph: WrittenGraph,
    features: RawFeatures,
    readers: Sequence[SplitReader],
    directory: str | None,
    observe: BatchObserver | None,
) -> dict[str, int]:
    from penstock.io import ExamplesWriter
    from penstock.io.processes.shard_processes import map_shards
    from penstock.transform.features import explained_failures
    from penstock.transform.transformed_examples import TransformedExamples

    examples = TransformedExamples(graph.schema)

    def batches() -> Iterator[tuple[str, pa.RecordBatch]]:
        for reader in readers:
            for raw in reader():
                if raw.num_rows == 0:
                    continue
                with explained_failures(features, raw.num_rows):
                    tensors = graph.apply(features.tensors(raw))
                batch = examples.batch(tensors, raw.num_rows)
                if observe is not None:
                    observe(reader.split, batch)
                yield reader.split, batch

    if directory is None:
        for _ in batches():
            pass
        return _count_rows(readers)
    splits = list(dict.fromkeys(reader.split for reader in readers))
    with ExamplesWriter(directory, splits, name="transformed_examples") as writer:
        with contextlib.closing(
            map_shards(examples.serializer.framed, batches(), at_least=BLOCKS_WORTH_A_PROCESS)
        ) as serialized:
            for split, framed in serialized:
                writer.write_framed(split, framed)
    counts = _count_rows(readers)
    if writer.row_counts != counts:
        raise RuntimeError(f"Transform read {counts} rows a split, but wrote {writer.row_counts}.")
    return counts
