"""The parts of a schema that validation does not check: they are reported, so that nobody relies on them.

Each field of every message that a schema can hold stands in one of three lists: it is checked, it says
something that is no constraint on the data, or it is a constraint that is not checked. TFDV 1.21 does not
check the last either, and says nothing about it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf import message
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from penstock.data_validation.anomalies.self_consistency import is_deprecated
from penstock.data_validation.path_steps import path_from_proto
from penstock.data_validation.schema_features import FeatureKinds, all_features

_PACKAGE = "tensorflow.metadata.v0."
_TYPE_ONLY = "only the type is checked, not the values"
_NO_SHARED = "only string domains are shared: put the domain in the feature"

UNCHECKED = {
    "Schema.float_domain": _NO_SHARED,
    "Schema.int_domain": _NO_SHARED,
    "Feature.group_presence": "not checked: use presence",
    "Feature.audio_domain": "not checked",
    "Feature.video_domain": "not checked",
    "Feature.content_chunk_domain": "not checked",
    "Feature.mid_domain": _TYPE_ONLY,
    "Feature.url_domain": _TYPE_ONLY,
    "Feature.time_domain": _TYPE_ONLY,
    "Feature.time_of_day_domain": "not checked",
    "Feature.sequence_metadata": "not checked",
    "FloatDomain.is_embedding": "not checked",
    "FloatDomain.embedding_dim": "not checked: use shape or value_count",
    "FloatDomain.embedding_type": "not checked",
    "SparseFeature.presence": "not checked: use that of the value feature",
    "SparseFeature.type": "not checked: use that of the value feature",
    "SparseFeature.dense_shape": "not checked",
    "SparseFeature.is_sorted": "not checked",
    "SequenceLengthConstraints.min_sequence_length": "computed as a statistic, not checked",
    "SequenceLengthConstraints.max_sequence_length": "computed as a statistic, not checked",
}
"""Constraints that are not checked, and what to do instead."""

DESCRIPTIVE = frozenset(
    {
        # Transform and training read these.
        "Schema.represent_variable_length_as_ragged",
        "Schema.tensor_representation_group",
        "Schema.annotation",
        "Feature.annotation",
        "FixedShape.Dim.name",
        "IntDomain.name",
        "FloatDomain.name",
        "BoolDomain.name",
        # How a derived feature came about; that it has a source and the right stage is checked.
        "DerivedFeatureSource.deriver_name",
        "DerivedFeatureSource.description",
        "DerivedFeatureSource.source_path",
        "DerivedFeatureSource.declaratively_configured",
        "DerivedFeatureSource.config",
    }
)
"""Fields that say something and constrain nothing; what is inside of them neither."""

_CHECKED_BY_MESSAGE = {
    "Schema": (
        "feature sparse_feature weighted_feature string_domain default_environment "
        "dataset_constraints"
    ),
    "Feature": (
        "name deprecated presence shape value_count value_counts type domain int_domain "
        "float_domain string_domain bool_domain struct_domain natural_language_domain "
        "image_domain distribution_constraints skew_comparator drift_comparator "
        "in_environment not_in_environment lifecycle_stage unique_constraints "
        "validation_derived_source"
    ),
    "FeaturePresence": "min_fraction min_count",
    "FixedShape": "dim",
    "FixedShape.Dim": "size",
    "ValueCount": "min max",
    "ValueCountList": "value_count",
    "IntDomain": "min max is_categorical",
    "FloatDomain": "min max disallow_nan disallow_inf is_categorical",
    "StringDomain": "name value is_categorical",
    "BoolDomain": "true_value false_value",
    "StructDomain": "feature sparse_feature",
    "SparseFeature": "name deprecated lifecycle_stage index_feature value_feature",
    "SparseFeature.IndexFeature": "name",
    "SparseFeature.ValueFeature": "name",
    "NaturalLanguageDomain": "vocabulary coverage token_constraints sequence_length_constraints",
    "FeatureCoverageConstraints": (
        "min_coverage min_avg_token_length excluded_string_tokens excluded_int_tokens "
        "oov_string_tokens"
    ),
    "SequenceValueConstraints": (
        "int_value string_value min_per_sequence max_per_sequence min_fraction_of_sequences "
        "max_fraction_of_sequences"
    ),
    "SequenceLengthConstraints": "excluded_int_value excluded_string_value",
    "ImageDomain": "minimum_supported_image_fraction max_image_byte_size",
    "DistributionConstraints": "min_domain_mass",
    "FeatureComparator": "infinity_norm jensen_shannon_divergence normalized_abs_difference",
    "InfinityNorm": "threshold",
    "JensenShannonDivergence": "threshold source",
    "HistogramSelection": "type",
    "NormalizedAbsoluteDifference": "threshold",
    "UniqueConstraints": "min max",
    "WeightedFeature": "name feature weight_feature lifecycle_stage",
    "Path": "step",
    "DatasetConstraints": (
        "num_examples_drift_comparator num_examples_version_comparator min_examples_count "
        "max_examples_count"
    ),
    "NumericValueComparator": "min_fraction_threshold max_fraction_threshold",
}
CHECKED = frozenset(
    f"{message_name}.{field}"
    for message_name, fields in _CHECKED_BY_MESSAGE.items()
    for field in fields.split()
)
"""Fields that inference, statistics or validation read."""

# Fields that are checked if there is something to compare with.
_COMPARED = {
    "Feature.drift_comparator": "previous",
    "Feature.skew_comparator": "serving",
    "DatasetConstraints.num_examples_drift_comparator": "previous",
    "DatasetConstraints.num_examples_version_comparator": "previous_version",
}
_MADE_WITHOUT = (
    "the statistics were made without the schema: give it to StatisticsGen or StatsOptions"
)
_WORD_DOMAINS = ("domain", "string_domain", "bool_domain", "int_domain", "float_domain")
_OF_COUNTED_VALUES = ("infinity_norm", "normalized_abs_difference")


def unchecked_fields(
    schema: schema_pb2.Schema,
    *,
    compared_with: Sequence[str] = ("previous", "serving", "previous_version"),
) -> list[str]:
    """Return the constraints of a schema that validation does not check.

    Args:
        schema: The schema.
        compared_with: Which statistics there are to compare with: "previous", "serving",
            "previous_version".

    Returns:
        A phrase for each field, such as "feature 'home': url_domain (only the type is checked, not the
        values)".
    """
    kinds = FeatureKinds(schema)

    def visit(proto: message.Message, path: tuple[str, ...]) -> Iterator[str]:
        where = f"feature {'.'.join(path)!r}: " if path else "schema: "
        for field, value in proto.ListFields():
            key = f"{proto.DESCRIPTOR.full_name.removeprefix(_PACKAGE)}.{field.name}"
            reason = UNCHECKED.get(key)
            if _COMPARED.get(key, "previous") not in compared_with and key in _COMPARED:
                reason = f"there are no {_COMPARED[key]} statistics to compare with"
            if reason is not None:
                yield f"{where}{field.name} ({reason})"
            elif field.message_type is not None and key not in DESCRIPTIVE:
                for each in value if _is_repeated(value) else [value]:
                    inside = (*path, each.name) if _is_feature(each) else path
                    yield from visit(each, inside)
        if isinstance(proto, schema_pb2.Feature):
            yield from of_numbers(proto, path, where)

    def of_numbers(feature: schema_pb2.Feature, path: tuple[str, ...], where: str) -> Iterator[str]:
        counted = kinds.categorical_integers | kinds.categorical_floats
        if feature.type not in (schema_pb2.INT, schema_pb2.FLOAT) or path in counted:
            return
        for comparator in ("drift_comparator", "skew_comparator"):
            if _COMPARED[f"Feature.{comparator}"] not in compared_with:
                continue
            for name in _OF_COUNTED_VALUES:
                if getattr(getattr(feature, comparator), name).HasField("threshold"):
                    yield (
                        f"{where}{comparator}.{name} (it compares how often values occur, which "
                        f"is not counted for numbers: use jensen_shannon_divergence)"
                    )

    return list(dict.fromkeys(visit(schema, ())))


def fields_without_effect(schema: schema_pb2.Schema) -> list[str]:
    """Names comparators that set no threshold, and features that come again under one name."""
    features = list(all_features(schema))
    phrases = [
        f"feature {'.'.join(path)!r} (comes {times} times: only the first is checked)"
        for path, times in Counter(path for path, _ in features).items()
        if times > 1
    ]
    for path, feature in features:
        for name in ("drift_comparator", "skew_comparator"):
            if not feature.HasField(name):
                continue
            limits = getattr(feature, name).ListFields()
            unset = [f".{limit.name}" for limit, value in limits if not value.HasField("threshold")]
            for limited in unset if limits else [""]:
                phrases.append(
                    f"feature {'.'.join(path)!r}: {name}{limited} (it sets no threshold)"
                )
    return phrases


def incomparable_features(
    schema: schema_pb2.Schema,
    dataset: statistics_pb2.DatasetFeatureStatistics,
    control: statistics_pb2.DatasetFeatureStatistics,
    comparator: str,
) -> list[str]:
    """Names features to be compared that are numbers on one side and words on the other.

    Args:
        schema: The schema.
        dataset: The statistics that are checked.
        control: Those that they are compared with.
        comparator: "drift_comparator" or "skew_comparator".
    """

    def kinds(of: statistics_pb2.DatasetFeatureStatistics) -> dict[tuple[str, ...], str | None]:
        return {path_from_proto(f.path, f.name): f.WhichOneof("stats") for f in of.features}

    mine, theirs = kinds(dataset), kinds(control)
    return [
        f"feature {'.'.join(path)!r}: {comparator} (its values are numbers on one side and words on the "
        f"other)"
        for path, feature in all_features(schema)
        if feature.HasField(comparator)
        and {mine.get(path), theirs.get(path)} == {"num_stats", "string_stats"}
    ]


def fields_without_statistics(
    schema: schema_pb2.Schema, dataset: statistics_pb2.DatasetFeatureStatistics
) -> list[str]:
    """Return the constraints of a schema that need statistics computed with that schema.

    Args:
        schema: The schema.
        dataset: The statistics that are checked.
    """
    found = {path_from_proto(feature.path, feature.name): feature for feature in dataset.features}
    phrases = []
    for kind in ("sparse_feature", "weighted_feature"):
        for composite in getattr(schema, kind):
            statistics = found.get((composite.name,))
            if not is_deprecated(composite) and (statistics is None or not statistics.custom_stats):
                phrases.append(f"feature {composite.name!r}: {kind} ({_MADE_WITHOUT})")
    for path, feature in all_features(schema):
        if path not in found:
            continue
        if feature.WhichOneof("domain_info") in _WORD_DOMAINS:
            words = found[path].string_stats
            listed = len(words.rank_histogram.buckets)
            if 0 < listed < words.unique:
                phrases.append(
                    f"feature {'.'.join(path)!r}: all but the {listed} most frequent of {words.unique} "
                    f"values (the statistics list no more: raise StatsOptions.num_rank_histogram_buckets)"
                )
        if feature.WhichOneof("domain_info") != "image_domain":
            continue
        names = {stat.name for stat in found[path].custom_stats}
        where = f"feature {'.'.join(path)!r}: image_domain"
        if feature.image_domain.HasField("max_image_byte_size") and not found[path].HasField(
            "bytes_stats"
        ):
            phrases.append(f"{where}.max_image_byte_size ({_MADE_WITHOUT})")
        if (
            feature.image_domain.HasField("minimum_supported_image_fraction")
            and "image_format_histogram" not in names
        ):
            phrases.append(
                f"{where}.minimum_supported_image_fraction (the statistics do not count images: set "
                f"StatsOptions(enable_semantic_domain_stats=True))"
            )
    return phrases


def _is_repeated(value: Any) -> bool:
    return not isinstance(value, message.Message)


def _is_feature(proto: Any) -> bool:
    kinds = (schema_pb2.Feature, schema_pb2.SparseFeature, schema_pb2.WeightedFeature)
    return isinstance(proto, kinds)
