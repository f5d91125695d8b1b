"""The engine for Beam: the same kernels on Dataflow, Flink, Spark, or in memory."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.beam.pipeline_options import BeamSetup
from penstock.engines.local import LocalEngine
from penstock.engines.protocol import Circumstances, RowObserver, RowSource
from penstock.engines.readers import examples_reader, serialized_examples
from penstock.io import ExamplesSplit, joined_split

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

    from penstock.bulk_inference import InferencePlan
    from penstock.data_validation.skew.detector import FeatureSkewDetector, FeatureSkewResult
    from penstock.data_validation.stats_options import StatsOptions
    from penstock.evaluation.accumulation import Accumulation
    from penstock.evaluation.row_work import RowWork
    from penstock.io import Output as OutputConfig
    from penstock.io import Quarantine
    from penstock.transform import TransformFolders, TransformResult


class BeamEngine:
    """Works on Beam's workers; see `Engine`.

    Args:
        setup: Where Beam pipelines run, and which user code travels with them.
        log: The log for work that is not done on Beam.
    """

    def __init__(self, setup: BeamSetup, log: logging.Logger) -> None:
        self.setup = setup
        self._log = log

    @classmethod
    def of(cls, context: Circumstances) -> BeamEngine:
        """Return the engine that an execution's context asks for."""
        return cls(BeamSetup.of(context), context.log)

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
        """Write rows to the splits of an Examples artifact; see `Engine.write_examples`.

        Rows that only this machine can read are read and written here, and the log says so.
        """
        from penstock.beam import write_examples_on_beam

        on_beam = source.on_beam()
        if on_beam is None:
            self._log.warning(
                "The component defines no beam_source, which says how Beam's workers read its rows: "
                "they are read in this process."
            )
            return LocalEngine().write_examples(
                source, output, uri, file_format, num_shards=num_shards, quarantine=quarantine
            )
        return write_examples_on_beam(
            self.setup,
            on_beam.parts,
            on_beam.reader,
            output,
            uri,
            file_format,
            num_shards=num_shards,
            input_size=on_beam.size,
            quarantine=quarantine,
        )

    def statistics(
        self, splits: Sequence[ExamplesSplit], options: StatsOptions, exchange_folder: str
    ) -> Iterator[tuple[str, statistics_pb2.DatasetFeatureStatisticsList]]:
        """Yield the name and the statistics of each split; see `Engine.statistics`."""
        from penstock.beam import combine_on_beam
        from penstock.data_validation.statistics.generate import SlicedStatistics

        joined_split(splits)  # one reader for all
        totals = combine_on_beam(
            self.setup,
            {split.name: split.files for split in splits},
            examples_reader(splits[0], options),
            functools.partial(SlicedStatistics, options),
            exchange_folder,
            sample_rate=options.sample_rate,
        )
        for split in splits:
            total = totals[split.name]
            split.check_count(total.rows)
            yield split.name, total.result

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
        from penstock.beam import AnalyzeOnBeam, transform_on_beam
        from penstock.transform import AnalysisElsewhere
        from penstock.transform import transform as run

        analysis = run(
            preprocessing_fn,
            schema,
            analyze=analyze,
            transform=transform,
            folders=dataclasses.replace(folders, examples=None),
            custom_config=custom_config,
            elsewhere=AnalysisElsewhere(AnalyzeOnBeam.on(self.setup), True, force_tf_compat_v1),
        )
        if folders.examples is None and before is None:
            return analysis
        raw, analyzed = _joined(transform), _joined(analyze)
        done = transform_on_beam(
            self.setup,
            raw,
            schema,
            folders.graph,
            folders.examples,
            folders.graph,
            file_format=folders.file_format,
            observe_raw=(analyzed, before.observed) if before else None,
            observe_transformed=after.observed if after else None,
        )
        for name, rows in done.rows.items():
            raw[name].check_count(rows)
        if before is not None and done.before is not None:
            joined_split(list(analyzed.values())).check_count(done.before.rows)
            before.take(done.before.result)
        if after is not None and done.after is not None:
            after.take(done.after.result)
        return dataclasses.replace(analysis, rows_transformed=done.rows)

    def infer(
        self, splits: Sequence[ExamplesSplit], plan: InferencePlan, uri: str
    ) -> dict[str, int]:
        """Predict the rows of splits; see `Engine.infer`."""
        from penstock.beam import infer_on_beam

        return infer_on_beam(self.setup, splits, plan, uri)

    def feature_skew(
        self,
        base: ExamplesSplit,
        test: ExamplesSplit,
        make_detector: Callable[[], FeatureSkewDetector],
        exchange_folder: str,
    ) -> FeatureSkewResult:
        """Compare the rows of two splits; see `Engine.feature_skew`."""
        from penstock.beam import compare_on_beam

        return compare_on_beam(
            self.setup,
            (base.files, serialized_examples(base)),
            (test.files, serialized_examples(test)),
            make_detector,
            exchange_folder,
        ).result()

    def accumulate(self, work: RowWork, exchange_folder: str) -> Accumulation:
        """Do an evaluation's work on its rows; see `Engine.accumulate`."""
        from penstock.beam import accumulate_on_beam

        return accumulate_on_beam(self.setup, work, exchange_folder)


def _joined(splits: Sequence[ExamplesSplit]) -> dict[str, ExamplesSplit]:
    """Return the splits by name; those of one name as one."""
    by_name: dict[str, list[ExamplesSplit]] = {}
    for split in splits:
        by_name.setdefault(split.name, []).append(split)
    return {name: joined_split(of) for name, of in by_name.items()}
