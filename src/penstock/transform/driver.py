"""Transform: analyze data, write the transform graph, transform data."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.artifacts.standard import DEFAULT_FILE_FORMAT
from penstock.transform.imports import import_tensorflow_transform
from penstock.transform.shards import (
    BatchObserver,
    ShardReader,
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
    from tensorflow_metadata.proto.v0 import schema_pb2

    from penstock.io import ExamplesSplit
    from penstock.transform.features import RawFeatures
    from penstock.transform.preprocessing import PreprocessingFn

DEFAULT_BATCH_SIZE = 10_000


@dataclasses.dataclass(frozen=True)
class TransformResult:
    """The result of a Transform.

    Attributes:
        transformed_schema: schema of the transformed features.
        rows_analyzed: rows of each split that was read for analysis.
        rows_transformed: rows of each split that was transformed.
        phases: passes over the analyzed data; None if the fallback made them.
    """

    transformed_schema: schema_pb2.Schema
    rows_analyzed: Mapping[str, int]
    rows_transformed: Mapping[str, int]
    phases: int | None


@dataclasses.dataclass(frozen=True)
class TransformFolders:
    """The folders that a Transform writes, and the caches that it reuses.

    Attributes:
        graph: local folder for `transform_fn/`, `metadata/` and `transformed_metadata/`.
        examples: local folder for `Split-<name>/transformed_examples-*.gz`, or None to write none.
        earlier_caches: what earlier runs wrote as `updated_cache`; a data set whose accumulators are
            all there is not read for analysis.
        updated_cache: local folder for the accumulators of what is analyzed, or None to keep none.
        scratch: folder for temporary rows and vocabularies; by default the system's.
        file_format: how transformed examples are stored: "tfrecords_gzip", "tfrecords" or "parquet".
    """

    graph: str
    examples: str | None = None
    earlier_caches: Sequence[str] = ()
    updated_cache: str | None = None
    scratch: str | None = None
    file_format: str = DEFAULT_FILE_FORMAT


@dataclasses.dataclass(frozen=True)
class Observers:
    """Observers of the rows passing through, for example to compute statistics.

    Attributes:
        raw: sees each raw batch of the analyzed splits once.
        transformed: sees each transformed batch once.
    """

    raw: BatchObserver | None = None
    transformed: BatchObserver | None = None


@dataclasses.dataclass(frozen=True)
class AnalysisElsewhere:
    """Runs the analysis if the local driver cannot, or should not.

    Attributes:
        run: runs it, such as `penstock.beam.AnalyzeOnBeam`; by default that, on Beam in this process.
            The log says so when it is used.
        always: use it in every case, for example on a cluster.
        force_tf_compat_v1: trace as a TensorFlow 1 graph; implies `always`.
    """

    run: AnalysisFallback | None = None
    always: bool = False
    force_tf_compat_v1: bool = False


def transform(
    preprocessing_fn: Callable[..., Any],
    schema: schema_pb2.Schema,
    *,
    analyze: Sequence[ExamplesSplit],
    transform: Sequence[ExamplesSplit],
    folders: TransformFolders,
    custom_config: Mapping[str, Any] | None = None,
    observers: Observers | None = None,
    elsewhere: AnalysisElsewhere | None = None,
    batch_size: int = DEFAULT_BATCH_SIZE,
) -> TransformResult:
    """Run a `preprocessing_fn` over data: TensorFlow Transform without Beam.

    The function is traced, its `tft.*` analyzers are run in as few passes over the data as their
    dependencies allow, and the transform graph is written as TensorFlow Transform writes it, so that
    `tft.TFTransformOutput(folders.graph)` reads it. Memory is bounded by a batch and by what
    the analyzers accumulate.

    Args:
        preprocessing_fn: takes a dict of tensors by feature name (and `custom_config`, if it has such
            a parameter) and returns a dict of tensors with dtype int64, float32 or string.
        schema: schema of the raw examples.
        analyze: the splits that the analyzers read. Several of the same name (the spans of a
            rolling window) make one split; each has its own accumulators in the cache.
        transform: the splits to transform.
        folders: the folders to write.
        custom_config: passed to `preprocessing_fn`.
        observers: see the rows on their way.
        elsewhere: runs the analysis where the local driver cannot, such as analyzers that are
            PTransforms (`tft.experimental.ptransform_analyzer`).
        batch_size: the most rows per batch.

    Raises:
        ValueError: if there is nothing to analyze, or rows out differ from rows in.
        Exception: any error of `preprocessing_fn`, with a note about the features that it received.

    Example:
        train, evaluation = ExamplesSplit.all_of(examples)
        result = transform(
            preprocessing_fn,
            schema,
            analyze=[train],
            transform=[train, evaluation],
            folders=TransformFolders("/tmp/graph", "/tmp/transformed"),
        )
        result.rows_transformed   # {"train": 234, "eval": 100}
    """
    import_tensorflow_transform()
    from penstock.io.processes.shard_processes import kept_processes
    from penstock.transform.export import write_schema
    from penstock.transform.features import RawFeatures
    from penstock.transform.preprocessing import bind_preprocessing_fn
    from penstock.transform.splits import count_rows, transform_splits

    if not analyze:
        raise ValueError("Transform needs at least one split to analyze. Received: analyze=[]")
    observers = observers or Observers()
    bound = bind_preprocessing_fn(preprocessing_fn, custom_config)
    features = RawFeatures(schema, analyze[0].payload_format)
    materialize = folders.examples is not None or observers.transformed is not None
    with (
        kept_processes(),
        tempfile.TemporaryDirectory(prefix="transform-", dir=folders.scratch) as scratch,
        contextlib.ExitStack() as opened,
    ):
        read = shard_reader(features, batch_size, processes=None)
        analyzed, transformed = _readers(
            analyze, transform if materialize else [], read, observers.raw, scratch
        )
        for reader in [*analyzed, *transformed]:
            opened.callback(reader.close)
        write_schema(schema, f"{folders.graph}/metadata")
        graph = _analyze(
            bound,
            features,
            analyze,
            (analyzed, transformed),
            folders,
            elsewhere or AnalysisElsewhere(),
            scratch,
            batch_size,
        )
        if observers.raw is not None:
            for reader in analyzed:
                reader.exhaust()
        rows_analyzed = count_rows(analyzed)
        rows_transformed: dict[str, int] = {}
        if materialize:
            rows_transformed = transform_splits(
                graph, features, transformed, folders, observers.transformed
            )
    return TransformResult(
        transformed_schema=graph.schema,
        rows_analyzed=rows_analyzed,
        rows_transformed=rows_transformed,
        phases=graph.phases,
    )


def _readers(
    analyze: Sequence[ExamplesSplit],
    transform: Sequence[ExamplesSplit],
    read: ShardReader,
    observe: BatchObserver | None,
    scratch: str,
) -> tuple[list[SplitReader], list[SplitReader]]:
    """Readers of what is analyzed and of what is transformed; what is both has one, with a spool."""
    analyzed = [
        SplitReader(
            split,
            read,
            observe,
            BatchSpool(f"{scratch}/raw-{number}.arrow") if split in transform else None,
        )
        for number, split in enumerate(analyze)
    ]
    transformed = [
        analyzed[analyze.index(split)] if split in analyze else SplitReader(split, read)
        for split in transform
    ]
    return analyzed, transformed


def _analyze(
    bound: PreprocessingFn,
    features: RawFeatures,
    splits: Sequence[ExamplesSplit],
    readers: tuple[list[SplitReader], list[SplitReader]],
    folders: TransformFolders,
    elsewhere: AnalysisElsewhere,
    scratch: str,
    batch_size: int,
) -> WrittenGraph:
    """Write the transform graph: by the local driver if that may and can, else elsewhere."""
    from penstock.transform.analyzer_cache import AnalyzerCache

    analyzed, transformed = readers
    cache = AnalyzerCache(folders.earlier_caches, folders.updated_cache)
    keys = [cache.key(split, features.schema) for split in splits]
    if not (elsewhere.force_tf_compat_v1 or elsewhere.always):
        # Other processes start, and decode, while this one traces.
        analyzed[0].begin()
        for reader in [each for each in transformed if each not in analyzed][:1]:
            reader.begin()
        data_sets = list(zip(keys, analyzed, strict=True))
        graph = analyze_locally(bound, features, data_sets, cache, folders.graph, scratch)
        if graph is not None:
            return graph
    fallback = elsewhere.run
    if fallback is None:
        from penstock.beam import AnalyzeOnBeam

        fallback = AnalyzeOnBeam()
    return analyze_elsewhere(
        bound,
        features,
        list(zip(keys, splits, strict=True)),
        cache,
        folders.graph,
        scratch,
        shard_reader(features, batch_size),
        fallback,
        elsewhere.force_tf_compat_v1,
    )
