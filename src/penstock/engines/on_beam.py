"""The engine that is Beam: the same kernels on Dataflow, Flink, Spark, or in memory."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from penstock.beam.pipeline_options import BeamSetup
from penstock.engines.local import LocalEngine
from penstock.engines.protocol import Circumstances, RowSource
from penstock.engines.readers import examples_reader, serialized_examples

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from penstock.data_validation.skew.detector import FeatureSkewDetector, FeatureSkewResult
    from penstock.data_validation.stats_options import StatsOptions
    from penstock.io import ExamplesSplit, Quarantine
    from penstock.io import Output as OutputConfig


class BeamEngine:
    """Works on Beam's workers; see `Engine`.

    Args:
        setup: Where Beam pipelines run, and which user code travels with them.
        log: Is told what is not done on Beam.
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
                "The rows are read here and not on Beam: the component does not say how workers read "
                "them (beam_source)."
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
        from penstock.io import joined_split

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
