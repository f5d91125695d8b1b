"""Options of the statistics that had no effect on the data, such as a misspelled name."""

import logging
from collections.abc import Iterator

from tensorflow_metadata.proto.v0 import statistics_pb2

from penstock.data_validation.path_steps import PathSteps, path_from_proto
from penstock.data_validation.schema_features import all_features
from penstock.data_validation.stats_options import StatsOptions

_LOG = logging.getLogger(__name__)


def tell_unused_options(
    options: StatsOptions, statistics: statistics_pb2.DatasetFeatureStatisticsList
) -> None:
    """Log a warning for each option that had no effect on the statistics of some rows."""
    for phrase in unused_options(options, statistics):
        _LOG.warning("StatsOptions: %s.", phrase)


def unused_options(
    options: StatsOptions, statistics: statistics_pb2.DatasetFeatureStatisticsList
) -> list[str]:
    """Return the requests of options that are missing from the statistics.

    Args:
        options: The options.
        statistics: What was computed with them.
    """
    if not any(dataset.num_examples for dataset in statistics.datasets):
        return []
    return [*_names(options, statistics), *_meanings(options, statistics)]


def _names(
    options: StatsOptions, statistics: statistics_pb2.DatasetFeatureStatisticsList
) -> Iterator[str]:
    """Yield the options that name a feature that is not in the data."""
    known = {
        path_from_proto(feature.path, feature.name)
        for dataset in statistics.datasets
        for feature in dataset.features
    }
    config = options.per_feature_stats_config
    named: dict[str, set[PathSteps]] = {
        "feature_allowlist": {(name,) for name in options.feature_allowlist or ()},
        "per_feature_weight_override": set(options.per_feature_weight_override),
        "per_feature_stats_config": set() if config is None else config.paths,
    }
    for option, paths in named.items():
        for path in sorted(paths - known):
            if option == "feature_allowlist" or options.allows(path[0]):
                yield f"{option} names the feature {'.'.join(path)!r}, which is not in the data"
    if options.feature_allowlist is None:
        for features in options.slicing_config:
            for name in features:
                if (name,) not in known:
                    yield f"slicing_config names the feature {name!r}, which is not in the data"


def _meanings(
    options: StatsOptions, statistics: statistics_pb2.DatasetFeatureStatisticsList
) -> Iterator[str]:
    """Yield the options that need something else to have an effect."""
    schema = options.schema
    crosses = any(
        cross.HasField("categorical_cross_stats")
        for dataset in statistics.datasets
        for cross in dataset.cross_features
    )
    if options.label_feature is not None and schema is None:
        yield (
            f"label_feature={options.label_feature!r} needs a schema that says which features are "
            f"categorical, so no lift was computed"
        )
    elif options.label_feature is not None and not crosses:
        yield (
            f"label_feature={options.label_feature!r}: no lift was computed, since the data lacks "
            f"the label or the schema's categorical features"
        )
    vocabularies = {
        feature.natural_language_domain.vocabulary
        for _, feature in (all_features(schema) if schema is not None else ())
    }
    for name in sorted(set(options.vocab_paths) - vocabularies):
        yield (
            f"vocab_paths has the vocabulary {name!r}, which no natural_language_domain of the "
            "schema uses"
        )
