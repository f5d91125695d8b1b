"""The interface of engines, and their inputs."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from penstock.beam.pipeline_options import Circumstances as Setting

if TYPE_CHECKING:
    import pyarrow as pa
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

    from penstock.beam.shard_readers import BeamSource
    from penstock.beam.transform_examples import Observed
    from penstock.bulk_inference import InferencePlan
    from penstock.data_validation.skew.detector import FeatureSkewDetector, FeatureSkewResult
    from penstock.data_validation.stats_options import StatsOptions
    from penstock.evaluation.accumulation import Accumulation
    from penstock.evaluation.row_work import RowWork
    from penstock.io import ExamplesSplit, Quarantine, Rows
    from penstock.io import Output as OutputConfig
    from penstock.io.ingestion.broken_rows import OnBroken
    from penstock.transform import TransformFolders, TransformResult


class Circumstances(Setting, Protocol):
    """What of an execution's context matters here; `penstock.dsl.ExecutionContext` has it."""

    @property
    def log(self) -> logging.Logger:
        """The execution's log."""


@dataclasses.dataclass(frozen=True)
class RowSource:
    """The rows of an ExampleGen's input, in both forms in which an engine may read them.

    Attributes:
        splits: Names of the input splits.
        rows: Returns the rows of each, read by this machine. It is given what to tell of broken rows, or
            None where one is an error.
        on_beam: Returns how Beam's workers read them; None if only this machine can.
    """

    splits: Sequence[str]
    rows: Callable[[OnBroken | None], Mapping[str, Iterable[Rows]]]
    on_beam: Callable[[], BeamSource | None]


class RowObserver(Protocol):
    """An observer of rows passing through a Transform, such as statistics.

    On this machine it is called with each batch; on Beam a kernel of its own works on the workers, and
    it takes the result.
    """

    @property
    def observed(self) -> Observed:
        """What Beam's workers compute instead."""

    def take(self, result: Any) -> None:
        """Take what the workers computed."""

    def __call__(self, split: str, batch: pa.RecordBatch) -> None:
        """See a batch of a split."""


class Engine(Protocol):
    """Runs kernels over data. Equal input gives equal output, whichever engine it is."""

    def write_examples(
        self,
        source: RowSource,
        output: OutputConfig,
        uri: str,
        file_format: str,
        *,
        num_shards: int | None = None,
        quarantine: Quarantine | None = None,
    ) -> dict[str, int]:
        """Write rows to the splits of an Examples artifact; return the rows of each.

        Args:
            source: The rows.
            output: How to divide them into splits.
            uri: The artifact's folder.
            file_format: "tfrecords_gzip", "tfrecords" or "parquet".
            num_shards: How many shards a split gets; by default as many as its size requires.
            quarantine: The quarantine for broken rows; if None, a broken row is an error.

        Raises:
            ValueError: If there were no input rows.
            RuntimeError: If fewer or more rows were written than read.
        """
        ...

    def statistics(
        self, splits: Sequence[ExamplesSplit], options: StatsOptions, exchange_folder: str
    ) -> Iterator[tuple[str, statistics_pb2.DatasetFeatureStatisticsList]]:
        """Yield the name and the statistics of each split.

        Args:
            splits: The splits to read.
            options: What to compute.
            exchange_folder: A folder that all workers can reach.

        Raises:
            RuntimeError: If fewer or more rows were read than were written.
        """
        ...

    def transform(
        self,
        preprocessing_fn: Callable[..., Any],
        schema: schema_pb2.Schema,
        *,
        analyze: Sequence[ExamplesSplit],
        transform: Sequence[ExamplesSplit],
        folders: TransformFolders,
        custom_config: Mapping[str, Any] | None = None,
        before: RowObserver | None = None,
        after: RowObserver | None = None,
        force_tf_compat_v1: bool = False,
    ) -> TransformResult:
        """Analyze data, write the transform graph, transform data; see `penstock.transform.transform`.

        Args:
            preprocessing_fn: From raw to transformed features.
            schema: Of the raw examples.
            analyze: What the analyzers see.
            transform: What is transformed.
            folders: Where to write.
            custom_config: Passed to `preprocessing_fn`.
            before: Sees the analyzed rows as they come in.
            after: Sees the transformed rows.
            force_tf_compat_v1: Trace as a TensorFlow 1 graph.

        Raises:
            RuntimeError: If fewer or more rows were read or written than there are.
        """
        ...

    def infer(
        self, splits: Sequence[ExamplesSplit], plan: InferencePlan, uri: str
    ) -> dict[str, int]:
        """Predict the rows of splits and return how many each has; see `penstock.bulk_inference.infer`.

        Args:
            splits: The splits to read.
            plan: Which model predicts, and what is written.
            uri: Where to write.

        Raises:
            RuntimeError: If fewer or more rows were read than were written.
        """
        ...

    def feature_skew(
        self,
        base: ExamplesSplit,
        test: ExamplesSplit,
        make_detector: Callable[[], FeatureSkewDetector],
        exchange_folder: str,
    ) -> FeatureSkewResult:
        """Compare the rows of two splits.

        Args:
            base: The split to compare with.
            test: The split to examine.
            make_detector: Makes the detector; picklable.
            exchange_folder: A folder that all workers can reach.
        """
        ...

    def accumulate(self, work: RowWork, exchange_folder: str) -> Accumulation:
        """Do an evaluation's work on its rows: predict, and accumulate what the metrics need.

        Args:
            work: The rows and what is done to them.
            exchange_folder: A folder that all workers can reach.
        """
        ...
