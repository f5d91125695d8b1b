"""DistributionValidator: compares the distribution of data with a baseline."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from penstock.artifacts import ExampleAnomalies, ExampleStatistics
from penstock.components.example_validator import (
    ANOMALIES_FILE,
    anomalies_found,
    describe_anomalies,
    summarize_anomalies,
)
from penstock.components.split_pairs import check_pairs, split_pairs
from penstock.dsl import Component, ExecutionContext, Input, Output, output
from penstock.spelling import names_its_arguments

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2

_DISTANCES = ("infinity_norm", "jensen_shannon_divergence", "normalized_abs_difference")
BLESSED, NOT_BLESSED, NO_BASELINE = 1, 0, 2


@names_its_arguments
@dataclasses.dataclass(frozen=True)
class FeatureComparator:
    """How far one feature's distribution may be from the baseline's.

    Args:
        path: The feature's name, or the steps to a feature inside of structs.
        infinity_norm: Limit on the largest difference in a value's share; for strings.
        jensen_shannon_divergence: Limit on the divergence, 0 to 1; for strings and numbers.
        normalized_abs_difference: Limit on the largest difference in a value's count, divided by
            the number of all values; for strings.
    """

    path: str | tuple[str, ...]
    infinity_norm: float | None = None
    jensen_shannon_divergence: float | None = None
    normalized_abs_difference: float | None = None

    def __post_init__(self) -> None:
        limits = [getattr(self, name) for name in _DISTANCES]
        if all(limit is None for limit in limits):
            raise ValueError(
                f"A FeatureComparator needs a limit: one of {', '.join(_DISTANCES)}. "
                f"Received: {self!r}"
            )
        if any(limit is not None and limit < 0 for limit in limits):
            raise ValueError(f"Limits of a FeatureComparator are 0 or more. Received: {self!r}")

    def steps(self) -> tuple[str, ...]:
        """Return the path as steps."""
        return (self.path,) if isinstance(self.path, str) else tuple(self.path)

    def to_proto(self) -> schema_pb2.FeatureComparator:
        """Return the limits as tensorflow-metadata's message."""
        from tensorflow_metadata.proto.v0 import schema_pb2

        proto = schema_pb2.FeatureComparator()
        for name in _DISTANCES:
            if getattr(self, name) is not None:
                getattr(proto, name).threshold = getattr(self, name)
        return proto


@names_its_arguments
@dataclasses.dataclass(frozen=True)
class DistributionValidatorConfig:
    """Settings of DistributionValidator: the features to compare.

    Args:
        features: The features, with their limits.
        min_num_examples_ratio: Least ratio of the number of rows to the baseline's.
        max_num_examples_ratio: Greatest ratio of the number of rows to the baseline's.
    """

    features: Sequence[FeatureComparator] = ()
    min_num_examples_ratio: float | None = None
    max_num_examples_ratio: float | None = None

    def __post_init__(self) -> None:
        ratios = (self.min_num_examples_ratio, self.max_num_examples_ratio)
        if not self.features and ratios == (None, None):
            raise ValueError(
                "A DistributionValidatorConfig needs at least one feature. Received: none"
            )

    def num_examples_comparator(self) -> schema_pb2.NumericValueComparator | None:
        """Return the limits on the number of rows, or None."""
        from tensorflow_metadata.proto.v0 import schema_pb2

        if self.min_num_examples_ratio is None and self.max_num_examples_ratio is None:
            return None
        return schema_pb2.NumericValueComparator(
            min_fraction_threshold=self.min_num_examples_ratio,
            max_fraction_threshold=self.max_num_examples_ratio,
        )


class DistributionValidator(Component):
    """Compares the statistics of data with those of a baseline, such as yesterday's.

    Args:
        statistics: Statistics of the data.
        baseline_statistics: Statistics to compare with. If there are none, as on the first day,
            every split passes with `blessed` 2.
        config: Features and limits.
        include_split_pairs: Pairs (split, split of the baseline); by default splits of the same
            name.
        fail_on: As in ExampleValidator.

    Outputs:
        anomalies: `SplitPair-<split>_<baseline split>/SchemaDiff.pb`, serialized Anomalies with the
            findings and all measured distances; the custom property `blessed` says for each pair
            whether nothing was found.

    Example:
        DistributionValidator(
            statistics=statistics_gen.outputs["statistics"],
            baseline_statistics=yesterday.outputs["statistics"],
            config=DistributionValidatorConfig([FeatureComparator("company", infinity_norm=0.01)]),
        )
    """

    TYPE_NAME: ClassVar = "tfx.components.distribution_validator.component.DistributionValidator"
    LIBRARIES: ClassVar = ("tensorflow-metadata",)
    USES_SEED: ClassVar = False
    JUDGES: ClassVar = ("statistics",)

    statistics: Input[ExampleStatistics]
    baseline_statistics: Input[ExampleStatistics] | None = None
    config: DistributionValidatorConfig
    include_split_pairs: Sequence[Sequence[str]] | None = None
    fail_on: Literal["ERROR", "WARNING"] | None = None
    anomalies: Output[ExampleAnomalies] = output()

    def check(self) -> None:
        """Check the form of the split pairs."""
        check_pairs(self.include_split_pairs)

    def can_reject(self) -> bool:
        """Return whether it fails on anomalies."""
        return self.fail_on is not None

    def run(self, context: ExecutionContext) -> None:
        """Compare each pair of splits and write the findings."""
        from penstock.data_validation import write_anomalies_binary

        self.anomalies.properties["span"] = self.statistics.properties.get("span") or 0
        if self.baseline_statistics is None:
            context.log.warning("There are no baseline statistics: every split passes.")
            self.anomalies.splits = []
            unjudged = dict.fromkeys(self.statistics.splits, NO_BASELINE)
            self.anomalies.custom_properties["blessed"] = unjudged
            context.report_verdict("there is no baseline to compare with", ok=True)
            return
        pairs = split_pairs(
            self.statistics,
            self.baseline_statistics,
            self.include_split_pairs,
            by_default_same_name=True,
        )
        blessed: dict[str, int] = {}
        fatal: list[str] = []
        reports: list[anomalies_pb2.Anomalies] = []
        for split, baseline_split in pairs:
            pair = f"{split}_{baseline_split}"
            found = self._compare(self.baseline_statistics, split, baseline_split)
            write_anomalies_binary(found, f"{self.anomalies.uri}/SplitPair-{pair}/{ANOMALIES_FILE}")
            reports.append(found)
            lines = describe_anomalies(found)
            for severity, line in lines:
                context.log.warning("Splits %s, %s: %s", pair, severity, line)
                if self.fail_on == "WARNING" or (self.fail_on and severity == "ERROR"):
                    fatal.append(f"splits {pair}, {severity}: {line}")
            blessed[pair] = NOT_BLESSED if lines else BLESSED
        self.anomalies.splits = list(blessed)
        self.anomalies.custom_properties["blessed"] = blessed
        text = summarize_anomalies(reports)
        context.report_verdict(text or f"no anomalies in {', '.join(blessed)}", ok=not text)
        if fatal:
            advice = "Correct the data, or raise the limit in config."
            raise anomalies_found(fatal, self.fail_on, advice)

    def _compare(
        self, baseline: ExampleStatistics, split: str, baseline_split: str
    ) -> anomalies_pb2.Anomalies:
        from penstock.data_validation import load_stats_binary, validate_distributions

        return validate_distributions(
            load_stats_binary(f"{self.statistics.split_uri(split)}/FeatureStats.pb"),
            load_stats_binary(f"{baseline.split_uri(baseline_split)}/FeatureStats.pb"),
            {feature.steps(): feature.to_proto() for feature in self.config.features},
            self.config.num_examples_comparator(),
        )
