"""Statistics, schemas and anomalies of data, with TFDV's function names; usable on its own.

Importing this package imports none of pyarrow, numpy or tfx-bsl; each name loads its module when
it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from penstock.data_validation.distribution import validate_distributions
    from penstock.data_validation.drift.limits import DriftLimit
    from penstock.data_validation.drift.monitoring import measure_drift
    from penstock.data_validation.examples_validator import (
        identify_anomalous_examples,
        validate_examples_in_csv,
        validate_examples_in_tfrecord,
    )
    from penstock.data_validation.feature_path import FeaturePath
    from penstock.data_validation.generation import (
        generate_statistics_from_csv,
        generate_statistics_from_dataframe,
        generate_statistics_from_parquet,
        generate_statistics_from_tfrecord,
    )
    from penstock.data_validation.indexed_statistics import (
        CrossFeatureView,
        DatasetListView,
        DatasetView,
        FeatureView,
        get_feature_stats,
        get_slice_stats,
    )
    from penstock.data_validation.instance_validator import validate_instance
    from penstock.data_validation.per_feature_stats import PerFeatureStatsConfig
    from penstock.data_validation.schema_inference import infer_schema
    from penstock.data_validation.schema_lookup import (
        generate_dummy_schema_with_paths,
        get_domain,
        get_feature,
        set_domain,
    )
    from penstock.data_validation.sharded_statistics import (
        default_sharded_output_suffix,
        default_sharded_output_supported,
        load_sharded_statistics,
    )
    from penstock.data_validation.skew.detector import FeatureSkewDetector, detect_feature_skew
    from penstock.data_validation.skew.tables import (
        get_confusion_count_dataframes,
        get_match_stats_dataframe,
        get_skew_result_dataframe,
    )
    from penstock.data_validation.slices_validator import validate_corresponding_slices
    from penstock.data_validation.slicing import (
        FeatureValueSlicer,
        get_feature_value_slicer,
    )
    from penstock.data_validation.slicing import (
        get_feature_value_slicer as experimental_get_feature_value_slicer,
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
    from penstock.data_validation.statistics.generators.empty_values import EmptyValueCounter
    from penstock.data_validation.statistics.generators.lift import (
        LiftStats,
    )
    from penstock.data_validation.statistics.generators.mutual_information import (
        MutualInformation,
    )
    from penstock.data_validation.statistics.generators.pairs import (
        CrossFeatureStats,
    )
    from penstock.data_validation.statistics_validator import update_schema, validate_statistics
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
    from penstock.data_validation.unchecked_schema import unchecked_fields

_MODULE_OF = {
    "CombinerFeatureStatsGenerator": "statistics.generators.base",
    "CombinerStatsGenerator": "statistics.generators.base",
    "CrossFeatureStats": "statistics.generators.pairs",
    "CrossFeatureView": "indexed_statistics",
    "DatasetListView": "indexed_statistics",
    "DatasetView": "indexed_statistics",
    "DriftLimit": "drift.limits",
    "EmptyValueCounter": "statistics.generators.empty_values",
    "FeaturePath": "feature_path",
    "FeatureSkewDetector": "skew.detector",
    "FeatureValueSlicer": "slicing",
    "FeatureView": "indexed_statistics",
    "ImageStats": "statistics.generators.domains",
    "LiftStats": "statistics.generators.lift",
    "MutualInformation": "statistics.generators.mutual_information",
    "NaturalLanguageInference": "statistics.generators.domains",
    "PerFeatureStatsConfig": "per_feature_stats",
    "StatsOptions": "stats_options",
    "TimeStats": "statistics.generators.domains",
    "default_sharded_output_suffix": "sharded_statistics",
    "default_sharded_output_supported": "sharded_statistics",
    "detect_feature_skew": "skew.detector",
    "generate_dummy_schema_with_paths": "schema_lookup",
    "generate_statistics_from_csv": "generation",
    "generate_statistics_from_dataframe": "generation",
    "generate_statistics_from_parquet": "generation",
    "generate_statistics_from_tfrecord": "generation",
    "get_confusion_count_dataframes": "skew.tables",
    "get_domain": "schema_lookup",
    "get_feature": "schema_lookup",
    "get_feature_stats": "indexed_statistics",
    "get_feature_value_slicer": "slicing",
    "get_match_stats_dataframe": "skew.tables",
    "get_skew_result_dataframe": "skew.tables",
    "get_slice_stats": "indexed_statistics",
    "identify_anomalous_examples": "examples_validator",
    "infer_schema": "schema_inference",
    "load_anomalies_binary": "storage",
    "load_anomalies_text": "storage",
    "load_schema_text": "storage",
    "load_sharded_statistics": "sharded_statistics",
    "load_statistics": "storage",
    "load_stats_binary": "storage",
    "load_stats_text": "storage",
    "measure_drift": "drift.monitoring",
    "set_domain": "schema_lookup",
    "statistics_of_record_batches": "statistics.generate",
    "unchecked_fields": "unchecked_schema",
    "update_schema": "statistics_validator",
    "validate_corresponding_slices": "slices_validator",
    "validate_distributions": "distribution",
    "validate_examples_in_csv": "examples_validator",
    "validate_examples_in_tfrecord": "examples_validator",
    "validate_instance": "instance_validator",
    "validate_statistics": "statistics_validator",
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
    "CrossFeatureView",
    "DatasetListView",
    "DatasetView",
    "DriftLimit",
    "EmptyValueCounter",
    "FeaturePath",
    "FeatureSkewDetector",
    "FeatureValueSlicer",
    "FeatureView",
    "ImageStats",
    "LiftStats",
    "MutualInformation",
    "NaturalLanguageInference",
    "PerFeatureStatsConfig",
    "StatsOptions",
    "TimeStats",
    "default_sharded_output_suffix",
    "default_sharded_output_supported",
    "detect_feature_skew",
    "experimental_get_feature_value_slicer",
    "generate_dummy_schema_with_paths",
    "generate_statistics_from_csv",
    "generate_statistics_from_dataframe",
    "generate_statistics_from_parquet",
    "generate_statistics_from_tfrecord",
    "get_confusion_count_dataframes",
    "get_domain",
    "get_feature",
    "get_feature_stats",
    "get_feature_value_slicer",
    "get_match_stats_dataframe",
    "get_skew_result_dataframe",
    "get_slice_stats",
    "identify_anomalous_examples",
    "infer_schema",
    "load_anomalies_binary",
    "load_anomalies_text",
    "load_schema_text",
    "load_sharded_statistics",
    "load_statistics",
    "load_stats_binary",
    "load_stats_text",
    "measure_drift",
    "set_domain",
    "statistics_of_record_batches",
    "unchecked_fields",
    "update_schema",
    "validate_corresponding_slices",
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


# Names that are TFDV's: the module and the name here.
_RENAMED = {
    "experimental_get_feature_value_slicer": ("slicing", "get_feature_value_slicer"),
}
# TFDV has its pages in the same namespace; ours are cards: an edge that the contracts name.
_PAGES = frozenset(
    {
        "compare_slices",
        "display_anomalies",
        "display_schema",
        "get_statistics_html",
        "visualize_statistics",
    }
)
# Steps of a Beam pipeline have TFDV's names in penstock.beam, which builds on this package: an edge that
# the contracts name.
_ON_BEAM = frozenset(
    {
        "DetectFeatureSkew",
        "GenerateStatistics",
        "WriteStatisticsToBinaryFile",
        "WriteStatisticsToTFRecord",
    }
)
_ELSEWHERE = {
    "MergeDatasetFeatureStatisticsList": (
        "merges parts of statistics on Beam in TFDV; here use load_sharded_statistics "
        "(GenerateStatistics writes no parts)"
    ),
    "TransformStatsGenerator": (
        "is a Beam transform in TFDV: derive from CombinerStatsGenerator, which also runs on Beam"
    ),
    "WriteStatisticsToRecordsAndBinaryFile": (
        "writes parts of statistics on Beam in TFDV; here they are written whole, "
        "see WriteStatisticsToBinaryFile"
    ),
    "custom_validate_statistics": (
        "checked statistics with SQL until TFDV 1.16, which removed it: read the statistics with "
        "DatasetListView"
    ),
}


def __getattr__(name: str) -> Any:
    if name in _PAGES:
        from penstock import cards

        return getattr(cards, name)
    if name in _ON_BEAM:
        from penstock import beam

        return getattr(beam, name)
    if name in _ELSEWHERE:
        return _refusing(name, _ELSEWHERE[name])
    if name in _RENAMED or name in _MODULE_OF:
        module, attribute = _RENAMED.get(name) or (_MODULE_OF[name], name)
        return getattr(import_module(f"{__name__}.{module}"), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _refusing(name: str, why: str) -> type:
    """Return a class that cannot be used and says why: an AttributeError's text would be lost on import."""

    def refuse(*_: Any, **__: Any) -> None:
        raise NotImplementedError(f"{name} {why}.")

    return type(
        name, (), {"__new__": refuse, "__init_subclass__": refuse, "__doc__": f"{name} {why}."}
    )


def __dir__() -> list[str]:
    return sorted({*__all__, *_ON_BEAM, *_PAGES})
