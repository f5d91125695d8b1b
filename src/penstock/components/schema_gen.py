"""SchemaGen: infers a schema from statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from penstock.artifacts import ExampleStatistics, Schema
from penstock.dsl import Component, ExecutionContext, Input, Output, output


class SchemaGen(Component):
    """Infers a schema that accepts every split.

    The schema is inferred from the first split's statistics and updated with the others.

    Args:
        statistics: Statistics of the data.
        infer_feature_shape: Whether features with a fixed number of values get that shape.
        exclude_splits: Splits to leave out.

    Outputs:
        schema: `schema.pbtxt`, a text proto.

    Example:
        SchemaGen(statistics=statistics_gen.outputs["statistics"])
    """

    TYPE_NAME: ClassVar = "tfx.components.schema_gen.component.SchemaGen"
    TYPE_ANNOTATION: ClassVar = "mlmd.Process"
    LIBRARIES: ClassVar = ("tensorflow-metadata",)
    USES_SEED: ClassVar = False
    READS_URLS: ClassVar = True

    statistics: Input[ExampleStatistics]
    infer_feature_shape: bool = True
    exclude_splits: Sequence[str] = ()
    schema: Output[Schema] = output()

    def run(self, context: ExecutionContext) -> None:
        """Infer the schema and write it."""
        from penstock.data_validation import (
            infer_schema,
            load_stats_binary,
            update_schema,
            write_schema_text,
        )

        schema = None
        for split in self.statistics.splits_without(self.exclude_splits):
            statistics = load_stats_binary(f"{self.statistics.split_uri(split)}/FeatureStats.pb")
            if schema is None:
                schema = infer_schema(statistics, self.infer_feature_shape)
            else:
                schema = update_schema(schema, statistics, self.infer_feature_shape)
        assert schema is not None
        context.log.info("Inferred a schema of %d features", len(schema.feature))
        write_schema_text(schema, f"{self.schema.uri}/schema.pbtxt")
