"""Work on Beam: the kernels of the data components, driven by Dataflow, Flink, Spark and others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.beam.analyze import AnalyzeOnBeam
    from penstock.beam.big_query import big_query_source
    from penstock.beam.bulk_inference import infer_on_beam
    from penstock.beam.csv_input import CsvInput
    from penstock.beam.evaluation import accumulate_on_beam
    from penstock.beam.feature_skew import DetectFeatureSkew, compare_on_beam
    from penstock.beam.ingestion import write_examples_on_beam
    from penstock.beam.kernels import Kernel, KernelCombineFn, Total
    from penstock.beam.pipeline_options import BeamSetup, make_pipeline, runner_name, runs_locally
    from penstock.beam.query_input import QueryInput
    from penstock.beam.shard_readers import BeamSource, InputReader, RecordInput, RowsInput
    from penstock.beam.statistics import combine_on_beam
    from penstock.beam.statistics_transforms import (
        GenerateStatistics,
        WriteStatisticsToBinaryFile,
        WriteStatisticsToText,
        WriteStatisticsToTFRecord,
    )
    from penstock.beam.transform_examples import transform_on_beam

__all__ = [
    "AnalyzeOnBeam",
    "BeamSetup",
    "BeamSource",
    "CsvInput",
    "DetectFeatureSkew",
    "GenerateStatistics",
    "InputReader",
    "Kernel",
    "KernelCombineFn",
    "QueryInput",
    "RecordInput",
    "RowsInput",
    "Total",
    "WriteStatisticsToBinaryFile",
    "WriteStatisticsToTFRecord",
    "WriteStatisticsToText",
    "accumulate_on_beam",
    "big_query_source",
    "combine_on_beam",
    "compare_on_beam",
    "infer_on_beam",
    "make_pipeline",
    "runner_name",
    "runs_locally",
    "transform_on_beam",
    "write_examples_on_beam",
]

_MODULES = {
    "AnalyzeOnBeam": "analyze",
    "BeamSetup": "pipeline_options",
    "BeamSource": "shard_readers",
    "CsvInput": "csv_input",
    "DetectFeatureSkew": "feature_skew",
    "GenerateStatistics": "statistics_transforms",
    "InputReader": "shard_readers",
    "Kernel": "kernels",
    "KernelCombineFn": "kernels",
    "QueryInput": "query_input",
    "RecordInput": "shard_readers",
    "RowsInput": "shard_readers",
    "Total": "kernels",
    "WriteStatisticsToBinaryFile": "statistics_transforms",
    "WriteStatisticsToTFRecord": "statistics_transforms",
    "WriteStatisticsToText": "statistics_transforms",
    "accumulate_on_beam": "evaluation",
    "big_query_source": "big_query",
    "combine_on_beam": "statistics",
    "compare_on_beam": "feature_skew",
    "infer_on_beam": "bulk_inference",
    "make_pipeline": "pipeline_options",
    "runner_name": "pipeline_options",
    "runs_locally": "pipeline_options",
    "transform_on_beam": "transform_examples",
    "write_examples_on_beam": "ingestion",
}

__getattr__, __dir__ = lazy_exports(__name__, _MODULES)
