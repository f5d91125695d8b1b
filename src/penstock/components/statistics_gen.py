"""StatisticsGen: computes statistics of every split of Examples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from penstock.artifacts import Examples, ExampleStatistics, Schema, split_uri
from penstock.data_validation.stats_options import StatsOptions
from penstock.dsl import Component, ExecutionContext, Input, Output, output

if TYPE_CHECKING:
    pass

STATISTICS_FILE = "FeatureStats.pb"
SCHEMA_FILE = "schema.pbtxt"


class StatisticsGen(Component):
    """Computes statistics of every split of `examples`.

    Args:
        examples: The rows.
        schema: The schema, which says which features are categorical, images and so on.
        stats_options: What to compute; its schema must be unset if `schema` is given.
        exclude_splits: Splits to leave out.

    Outputs:
        statistics: `Split-<name>/FeatureStats.pb`, a serialized DatasetFeatureStatisticsList.

    Example:
        StatisticsGen(examples=example_gen.outputs["examples"])
    """

    TYPE_NAME: ClassVar = "tfx.components.statistics_gen.component.StatisticsGen"
    TYPE_ANNOTATION: ClassVar = "mlmd.Process"
    LIBRARIES: ClassVar = ("pyarrow", "tfx-bsl", "tensorflow-metadata")
    USES_SEED: ClassVar = False
    READS_URLS: ClassVar = True
    DESCRIBES: ClassVar = {"statistics": "examples"}

    examples: Input[Examples]
    schema: Input[Schema] | None = None
    stats_options: StatsOptions | None = None
    exclude_splits: Sequence[str] = ()
    statistics: Output[ExampleStatistics] = output()

    def check(self) -> None:
        """Check that there is at most one schema, and no code in the options."""
        if self.stats_options is None:
            return
        self.stats_options.to_json()
        if self.schema is not None and self.stats_options.schema is not None:
            raise ValueError(
                "Give the schema either as schema=... or in stats_options. Received: both."
            )

    def run(self, context: ExecutionContext) -> None:
        """Read each split and write its statistics."""
        from penstock.data_validation import load_schema_text, write_stats_binary
        from penstock.data_validation.personal_values import hide_personal_statistics
        from penstock.engines import engine_of
        from penstock.io import ExamplesSplit, personal_features

        options = self.stats_options or StatsOptions()
        if self.schema is not None:
            schema = load_schema_text(f"{self.schema.uri}/{SCHEMA_FILE}")
            options = options.replaced(schema=schema)
        splits = self.examples.splits_without(self.exclude_splits)
        read = [ExamplesSplit.of(self.examples, split) for split in splits]
        personal = personal_features(options.schema)
        found = engine_of(context).statistics(read, options, self.statistics.uri)
        for split, statistics in found:
            rows = statistics.datasets[0].num_examples
            context.log.info("Split %s: statistics of %d rows", split, rows)
            hide_personal_statistics(statistics, personal)
            folder = split_uri(self.statistics.uri, split)
            write_stats_binary(statistics, f"{folder}/{STATISTICS_FILE}")
        self.statistics.splits = splits
        self.statistics.properties["span"] = self.examples.custom_properties.get("span") or 0
        rates = dict.fromkeys(splits, options.sample_rate or 1.0)
        self.statistics.custom_properties["sample_rate_by_split"] = json.dumps(rates)
