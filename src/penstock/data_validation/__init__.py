"""Statistics, schemas and anomalies of data, with TFDV's function names; usable on its own.

Importing this package imports none of pyarrow, numpy or tfx-bsl; each name loads its module when
it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.data_validation.distribution import validate_distributions
    from penstock.data_validation.example_validation import (
        identify_anomalous_examples,
        validate_examples_in_csv,
        validate_examples_in_tfrecord,
        validate_instance,
    )
    from penstock.data_validation.feature_path import FeaturePath
    from penstock.data_validation.generation import (
        generate_statistics_from_csv,
        generate_statistics_from_dataframe,
        generate_statistics_from_parquet,
        generate_statistics_from_tfrecord,
    )
    from penstock.data_validation.schema_inference import infer_schema
    from penstock.data_validation.schema_lookup import get_domain, get_feature, set_domain
    from penstock.data_validation.skew.detector import FeatureSkewDetector, detect_feature_skew
    from penstock.data_validation.slicing import (
        FeatureValueSlicer,
        get_feature_value_slicer,
    )
    from penstock.data_validation.statistics.generate import statistics_of_record_batches
    from penstock.data_validation.statistics.generators.base import (
        CombinerFeatureStatsGenerator,
        CombinerStatsGenerator,
    )
    from penstock.data_validation.statistics.generators.domains import (
        ImageStats,
        NaturalLanguageInference,
        TimeStats,
    )
    from penstock.data_validation.statistics.generators.lift import (
        LiftStats,
    )
    from penstock.data_validation.statistics.generators.mutual_information import (
        MutualInformation,
    )
    from penstock.data_validation.statistics.generators.pairs import (
        CrossFeatureStats,
    )
    from penstock.data_validation.stats_options import StatsOptions
    from penstock.data_validation.storage import (
        load_anomalies_binary,
        load_anomalies_text,
        load_schema_text,
        load_statistics,
        load_stats_binary,
        load_stats_text,
        write_anomalies_binary,
        write_anomalies_text,
        write_schema_text,
        write_stats_binary,
        write_stats_text,
    )
    from penstock.data_validation.validation import update_schema, validate_statistics

_MODULE_OF = {
    "CombinerFeatureStatsGenerator": "statistics.generators.base",
    "CombinerStatsGenerator": "statistics.generators.base",
    "CrossFeatureStats": "statistics.generators.pairs",
    "FeaturePath": "feature_path",
    "FeatureSkewDetector": "skew.detector",
    "FeatureValueSlicer": "slicing",
    "ImageStats": "statistics.generators.domains",
    "LiftStats": "statistics.generators.lift",
    "MutualInformation": "statistics.generators.mutual_information",
    "NaturalLanguageInference": "statistics.generators.domains",
    "StatsOptions": "stats_options",
    "TimeStats": "statistics.generators.domains",
    "detect_feature_skew": "skew.detector",
    "generate_statistics_from_csv": "generation",
    "generate_statistics_from_dataframe": "generation",
    "generate_statistics_from_parquet": "generation",
    "generate_statistics_from_tfrecord": "generation",
    "get_domain": "schema_lookup",
    "get_feature": "schema_lookup",
    "get_feature_value_slicer": "slicing",
    "identify_anomalous_examples": "example_validation",
    "infer_schema": "schema_inference",
    "load_anomalies_binary": "storage",
    "load_anomalies_text": "storage",
    "load_schema_text": "storage",
    "load_statistics": "storage",
    "load_stats_binary": "storage",
    "load_stats_text": "storage",
    "set_domain": "schema_lookup",
    "statistics_of_record_batches": "statistics.generate",
    "update_schema": "validation",
    "validate_distributions": "distribution",
    "validate_examples_in_csv": "example_validation",
    "validate_examples_in_tfrecord": "example_validation",
    "validate_instance": "example_validation",
    "validate_statistics": "validation",
    "write_anomalies_binary": "storage",
    "write_anomalies_text": "storage",
    "write_schema_text": "storage",
    "write_stats_binary": "storage",
    "write_stats_text": "storage",
}

__all__ = [
    "CombinerFeatureStatsGenerator",
    "CombinerStatsGenerator",
    "CrossFeatureStats",
    "FeaturePath",
    "FeatureSkewDetector",
    "FeatureValueSlicer",
    "ImageStats",
    "LiftStats",
    "MutualInformation",
    "NaturalLanguageInference",
    "StatsOptions",
    "TimeStats",
    "detect_feature_skew",
    "generate_statistics_from_csv",
    "generate_statistics_from_dataframe",
    "generate_statistics_from_parquet",
    "generate_statistics_from_tfrecord",
    "get_domain",
    "get_feature",
    "get_feature_value_slicer",
    "identify_anomalous_examples",
    "infer_schema",
    "load_anomalies_binary",
    "load_anomalies_text",
    "load_schema_text",
    "load_statistics",
    "load_stats_binary",
    "load_stats_text",
    "set_domain",
    "statistics_of_record_batches",
    "update_schema",
    "validate_distributions",
    "validate_examples_in_csv",
    "validate_examples_in_tfrecord",
    "validate_instance",
    "validate_statistics",
    "write_anomalies_binary",
    "write_anomalies_text",
    "write_schema_text",
    "write_stats_binary",
    "write_stats_text",
]


# TFDV has its pages in the same namespace; ours are cards: an edge that the contracts name.
_PAGES = frozenset({"display_anomalies", "display_schema", "visualize_statistics"})


def __getattr__(name: str) -> Any:
    if name in _PAGES:
        from penstock import cards

        return getattr(cards, name)
    if name in _MODULE_OF:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *_PAGES})
