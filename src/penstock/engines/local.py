"""The engine for this machine: shards in processes, without Beam."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.engines.protocol import RowObserver, RowSource
from penstock.engines.readers import examples_reader, serialized_examples

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

    from penstock.bulk_inference import InferencePlan
    from penstock.data_validation.skew.detector import FeatureSkewDetector, FeatureSkewResult
    from penstock.data_validation.stats_options import StatsOptions
    from penstock.evaluation.accumulation import Accumulation
    from penstock.evaluation.row_work import RowWork
    from penstock.io import ExamplesSplit, Quarantine
    from penstock.io import Output as OutputConfig
    from penstock.transform import TransformFolders, TransformResult

_BYTES_A_PART = 128 << 20


class LocalEngine:
    """Works on the cores of this machine; see `Engine`."""

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
        """Write rows to the splits of an Examples artifact; see `Engine.write_examples`."""
        from penstock.io.ingestion.write_examples import write_examples

        return write_examples(
            source.rows(quarantine),
            output,
            uri,
            file_format,
            num_shards=num_shards,
            quarantine=quarantine,
        )

    def statistics(
        self, splits: Sequence[ExamplesSplit], options: StatsOptions, exchange_folder: str
    ) -> Iterator[tuple[str, statistics_pb2.DatasetFeatureStatisticsList]]:
        """Yield the name and the statistics of each split; see `Engine.statistics`."""
        from penstock.data_validation.statistics.shards import statistics_of_shards

        del exchange_folder  # one process merges what the others return
        for group in _of_one_format(splits):
            read = examples_reader(group[0], options)
            files = {split.name: split.files for split in group}
            by_name = {split.name: split for split in group}
            for name, statistics in statistics_of_shards(files, read, options):
                if options.sample_rate is None:
                    by_name[name].check_count(statistics.datasets[0].num_examples)
                yield name, statistics

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
        """Analyze and transform; see `Engine.transform`."""
        from penstock.transform import AnalysisElsewhere, Observers
        from penstock.transform import transform as run

        return run(
            preprocessing_fn,
            schema,
            analyze=analyze,
            transform=transform,
            folders=folders,
            custom_config=custom_config,
            observers=Observers(before, after),
            elsewhere=AnalysisElsewhere(force_tf_compat_v1=force_tf_compat_v1),
        )

    def infer(
        self, splits: Sequence[ExamplesSplit], plan: InferencePlan, uri: str
    ) -> dict[str, int]:
        """Predict the rows of splits; see `Engine.infer`."""
        from penstock.bulk_inference import infer

        return infer(splits, plan, uri)

    def feature_skew(
        self,
        base: ExamplesSplit,
        test: ExamplesSplit,
        make_detector: Callable[[], FeatureSkewDetector],
        exchange_folder: str,
    ) -> FeatureSkewResult:
        """Compare the rows of two splits; see `Engine.feature_skew`."""
        from penstock.io.files.filesystem import file_size

        del exchange_folder
        detector = make_detector()
        parts = 1 + sum(map(file_size, [*test.files, *base.files])) // _BYTES_A_PART
        read_base, read_test = serialized_examples(base), serialized_examples(test)
        for part in range(parts):
            detector.compare(read_base(base.files), read_test(test.files), part=part, parts=parts)
        return detector.result()

    def accumulate(self, work: RowWork, exchange_folder: str) -> Accumulation:
        """Do an evaluation's work on its rows; see `Engine.accumulate`."""
        del exchange_folder
        return work.here()


def _of_one_format(splits: Sequence[ExamplesSplit]) -> list[list[ExamplesSplit]]:
    """Return the splits in groups that are read alike; of one artifact there is one group."""
    groups: dict[tuple[str, str], list[ExamplesSplit]] = {}
    for split in splits:
        groups.setdefault((split.file_format, split.payload_format), []).append(split)
    return list(groups.values())
