"""The standard components and their configurations; a component's file is imported when it is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.components.ab_gate import ABGate
    from penstock.components.avro_example_gen import AvroExampleGen
    from penstock.components.baseline_comparison import BaselineComparison
    from penstock.components.big_query_example_gen import BigQueryExampleGen
    from penstock.components.bulk_inferrer import BulkInferrer
    from penstock.components.csv_example_gen import CsvExampleGen
    from penstock.components.distribution_validator import (
        DistributionValidator,
        DistributionValidatorConfig,
        FeatureComparator,
    )
    from penstock.components.drift_monitor import DriftMonitor
    from penstock.components.evaluator import Evaluator
    from penstock.components.example_diff import ExampleDiff, ExampleDiffConfig, PairedExampleSkew
    from penstock.components.example_gen import FileBasedExampleGen
    from penstock.components.example_validator import ExampleValidator
    from penstock.components.explainer import Explainer
    from penstock.components.filter_rows import FilterRows
    from penstock.components.image_example_gen import ImageExampleGen
    from penstock.components.import_example_gen import ImportExampleGen
    from penstock.components.import_schema_gen import ImportSchemaGen
    from penstock.components.infra_validator import InfraValidator
    from penstock.components.model_card import ModelCard
    from penstock.components.model_optimizer import ModelOptimizer
    from penstock.components.numpy_example_gen import NumpyExampleGen
    from penstock.components.parquet_example_gen import ParquetExampleGen
    from penstock.components.pusher import Pusher
    from penstock.components.query_example_gen import QueryExampleGen
    from penstock.components.schema_gen import SchemaGen
    from penstock.components.statistics_gen import StatisticsGen
    from penstock.components.text_example_gen import TextExampleGen
    from penstock.components.tfds_example_gen import TfdsExampleGen
    from penstock.components.trainer import Trainer
    from penstock.components.transform import Transform
    from penstock.components.tuner import Tuner
    from penstock.components.windows import Windows

_HOME = {
    "ABGate": "ab_gate",
    "AvroExampleGen": "avro_example_gen",
    "BaselineComparison": "baseline_comparison",
    "BigQueryExampleGen": "big_query_example_gen",
    "BulkInferrer": "bulk_inferrer",
    "CsvExampleGen": "csv_example_gen",
    "DistributionValidator": "distribution_validator",
    "DistributionValidatorConfig": "distribution_validator",
    "DriftMonitor": "drift_monitor",
    "Evaluator": "evaluator",
    "ExampleDiff": "example_diff",
    "ExampleDiffConfig": "example_diff",
    "ExampleValidator": "example_validator",
    "Explainer": "explainer",
    "FeatureComparator": "distribution_validator",
    "FileBasedExampleGen": "example_gen",
    "FilterRows": "filter_rows",
    "ImageExampleGen": "image_example_gen",
    "ImportExampleGen": "import_example_gen",
    "ImportSchemaGen": "import_schema_gen",
    "InfraValidator": "infra_validator",
    "ModelCard": "model_card",
    "ModelOptimizer": "model_optimizer",
    "NumpyExampleGen": "numpy_example_gen",
    "PairedExampleSkew": "example_diff",
    "ParquetExampleGen": "parquet_example_gen",
    "Pusher": "pusher",
    "QueryExampleGen": "query_example_gen",
    "SchemaGen": "schema_gen",
    "StatisticsGen": "statistics_gen",
    "TextExampleGen": "text_example_gen",
    "TfdsExampleGen": "tfds_example_gen",
    "Trainer": "trainer",
    "Transform": "transform",
    "Tuner": "tuner",
    "Windows": "windows",
}

__all__ = [
    "ABGate",
    "AvroExampleGen",
    "BaselineComparison",
    "BigQueryExampleGen",
    "BulkInferrer",
    "CsvExampleGen",
    "DistributionValidator",
    "DistributionValidatorConfig",
    "DriftMonitor",
    "Evaluator",
    "ExampleDiff",
    "ExampleDiffConfig",
    "ExampleValidator",
    "Explainer",
    "FeatureComparator",
    "FileBasedExampleGen",
    "FilterRows",
    "ImageExampleGen",
    "ImportExampleGen",
    "ImportSchemaGen",
    "InfraValidator",
    "ModelCard",
    "ModelOptimizer",
    "NumpyExampleGen",
    "PairedExampleSkew",
    "ParquetExampleGen",
    "Pusher",
    "QueryExampleGen",
    "SchemaGen",
    "StatisticsGen",
    "TextExampleGen",
    "TfdsExampleGen",
    "Trainer",
    "Transform",
    "Tuner",
    "Windows",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOME)
